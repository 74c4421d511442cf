//! Watching: who gets the playlist, and what the signed addresses in it open.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use muxsim::SigningKey;
use serde_json::json;
use time::Duration;

use crate::{
    support::{KEY, Mux, VIDEO, text},
    viewer::{Token, playback_id, private, refuses},
};

#[tokio::test]
async fn a_token_opens_the_playlist() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    for token in [
        Token::new(&mux, id),
        Token::new(&mux, id).without("kid"),
        Token::new(&mux, id).without_kid_in_header(),
        Token::new(&mux, id).claiming("max_resolution", "720p"),
        Token::new(&mux, id).claiming("exp", mux.clock.unix() + 1),
    ] {
        let answer = mux.play(id, Some(&token.sign())).await;
        answer.is(200);
        assert_eq!(
            answer.header("content-type"),
            Some("application/vnd.apple.mpegurl")
        );
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
}

#[tokio::test]
async fn any_other_token_is_refused() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    let good = || Token::new(&mux, id);
    let foreign = SigningKey::generate("foreign").unwrap();
    let mut unknown = good();
    unknown.header.kid = Some("foreign".to_owned());
    // The public half is public: it must not do as a shared secret.
    let public = serde_json::to_value(&*KEY).unwrap()["public_key"].take();
    let public: Vec<u8> = serde_json::from_value(public).unwrap();
    let mut confused = good().signed_with(EncodingKey::from_secret(&public));
    confused.header.alg = Algorithm::HS256;
    let other = mux.ready("signed").await;
    for (why, token) in [
        ("another audience", good().claiming("aud", "t")),
        ("no audience", good().without("aud")),
        ("another id", good().claiming("sub", playback_id(&other))),
        ("the asset's id", good().claiming("sub", text(&asset["id"]))),
        ("no subject", good().without("sub")),
        ("expired now", good().claiming("exp", mux.clock.unix())),
        ("expired", good().claiming("exp", mux.clock.unix() - 600)),
        ("no expiry", good().without("exp")),
        ("an expiry in words", good().claiming("exp", "tomorrow")),
        (
            "no key named",
            good().without("kid").without_kid_in_header(),
        ),
        ("a foreign key, named", unknown),
        (
            "a foreign key, named in the claims",
            good().without_kid_in_header().claiming("kid", "foreign"),
        ),
        (
            "a foreign key under our name",
            good().signed_with(private(&foreign)),
        ),
        ("the public key as a secret", confused),
    ] {
        let answer = mux.play(id, Some(&token.sign())).await;
        assert_eq!(answer.status, 403, "{why}");
        refuses(&answer, 403, 7, "Forbidden");
    }
    refuses(&mux.play(id, None).await, 403, 7, "Forbidden");
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    let token = Token::new(&mux, id).sign();
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let none = |alg: &str| {
        URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": "JWT", "kid": KEY.id}).to_string())
    };
    let longer = Token::new(&mux, id)
        .claiming("exp", mux.clock.unix() + 9999)
        .sign();
    let others = longer.split('.').nth(1).unwrap();
    for text in [
        String::new(),
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        "..".to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{others}.{signature}"),
        format!("{token}."),
        format!("{}.{claims}.", none("none")),
        format!("{}.{claims}.{signature}", none("None")),
        format!("{}.{claims}.{signature}", none("RS512")),
        "e".repeat(100_000 / 2),
    ] {
        refuses(&mux.play(id, Some(&text)).await, 403, 7, "Forbidden");
    }
    mux.play(id, Some(&token)).await.is(200);
}

#[tokio::test]
async fn what_cannot_be_played_says_why() {
    let mux = Mux::new().await;
    let unknown = "a".repeat(32);
    refuses(&mux.play(&unknown, None).await, 404, 5, "Not Found");
    refuses(
        &mux.play("not-an-id", None).await,
        400,
        3,
        "Invalid parameter",
    );
    refuses(
        &mux.play("..%2Fid", None).await,
        400,
        3,
        "Invalid parameter",
    );
    refuses(
        &mux.play(&"a".repeat(300), None).await,
        400,
        3,
        "Invalid parameter",
    );
    mux.fetch(&format!("{}/stream/{unknown}", mux.url()))
        .await
        .is(404);

    for file in [VIDEO, b"no video"] {
        let upload = mux.signed_upload().await;
        mux.put(&upload, file).await.is(200);
        let asset = mux.asset_of(&upload).await;
        let id = playback_id(&asset);
        let token = Token::new(&mux, id).sign();
        refuses(&mux.play(id, None).await, 403, 7, "Forbidden");
        refuses(&mux.play(id, Some(&token)).await, 412, 9, "Asset not ready");
        mux.sim.process().await.unwrap();
        let answer = mux.play(id, Some(&token)).await;
        if file == VIDEO {
            answer.is(200);
        } else {
            refuses(&answer, 412, 9, "Asset not ready");
        }
    }
}

#[tokio::test]
async fn what_is_public_takes_no_token() {
    let mux = Mux::new().await;
    let asset = mux.ready("public").await;
    mux.play(playback_id(&asset), None).await.is(200);
    mux.play(playback_id(&asset), Some("garbage")).await.is(200);
}

#[tokio::test]
async fn a_deleted_playback_id_opens_nothing_but_what_is_open() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    let token = Token::new(&mux, id).sign();
    let rendition = mux.first_rendition(&asset).await;
    let path = format!("/video/v1/assets/{}/playback-ids/{id}", text(&asset["id"]));
    mux.delete(&path).await.is(204);
    refuses(&mux.play(id, Some(&token)).await, 404, 5, "Not Found");
    mux.fetch(&rendition).await.is(200);
    mux.delete(&format!("/video/v1/assets/{}", text(&asset["id"])))
        .await
        .is(204);
    refuses(&mux.fetch(&rendition).await, 404, 5, "Not Found");
}

#[tokio::test]
async fn the_playlists_lead_to_the_whole_video() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let master = mux.master(&asset).await;
    assert_eq!(master.variants.len(), 1);
    let variant = &master.variants[0];
    assert!(
        variant.uri.starts_with(&format!("{}/manifest/", mux.url())),
        "{}",
        variant.uri
    );
    let size = variant.resolution.unwrap();
    assert_eq!((size.width, size.height), (160, 120));
    let codecs = variant.codecs.as_deref().unwrap();
    assert!(
        codecs.contains("avc1.") && codecs.contains("mp4a.40.2"),
        "{codecs}"
    );
    assert!(variant.bandwidth > 0);

    let media = mux.media(&variant.uri).await;
    assert!(media.end_list);
    let seconds: f32 = media.segments.iter().map(|it| it.duration).sum();
    assert!((2.9..3.2).contains(&seconds), "{seconds}");
    let target = f32::from(u8::try_from(media.target_duration).unwrap());
    assert!(media.segments.iter().all(|it| it.duration <= target));
    let init = media.segments[0].map.as_ref().unwrap();
    let answer = mux.fetch(&init.uri).await;
    answer.is(200);
    assert_eq!(answer.bytes.get(4..8), Some(b"ftyp".as_slice()));
    for segment in &media.segments {
        let answer = mux.fetch(&segment.uri).await;
        answer.is(200);
        assert_eq!(answer.header("content-type"), Some("video/mp4"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(answer.bytes.windows(4).any(|it| it == b"moof"));
    }
}

/// The part of an address that names the rendition.
fn opaque(address: &str) -> &str {
    address.rsplit('/').nth(1).unwrap()
}

#[tokio::test]
async fn an_address_opens_only_as_it_was_signed() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let rendition = mux.first_rendition(&asset).await;
    let media = mux.media(&rendition).await;
    let segment = media.segments[0].uri.clone();
    let init = media.segments[0].map.as_ref().unwrap().uri.clone();
    let other = mux.ready("signed").await;
    let others = mux.first_rendition(&other).await;
    let (_, foreign) = others.split_once("signature=").unwrap();
    for address in [&rendition, &segment, &init] {
        let (bare, _) = address.split_once('?').unwrap();
        let (rest, signature) = address.split_once("signature=").unwrap();
        let decoded = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let decoded = String::from_utf8(decoded).unwrap();
        let (expires, digest) = decoded.split_once('_').unwrap();
        let expires = i64::from_str_radix(expires, 16).unwrap();
        assert!(rest.contains(&format!("?expires={expires}&")), "{rest}");
        let swapped = if &signature[40..=40] == "A" { "B" } else { "A" };
        let mut tampered = signature.to_owned();
        tampered.replace_range(40..=40, swapped);
        let later = URL_SAFE_NO_PAD.encode(format!("{:x}_{digest}", expires + 3600));
        let shorter = &signature[..signature.len() - 2];
        for broken in [
            bare.to_owned(),
            format!("{bare}?signature="),
            format!("{bare}?signature=%00"),
            format!("{rest}signature={tampered}"),
            format!("{rest}signature={later}"),
            format!("{rest}signature={shorter}"),
            format!("{rest}signature={foreign}"),
            address.replace(opaque(address), opaque(&others)),
            address.replace(opaque(address), "e30"),
        ] {
            assert_ne!(broken, *address);
            refuses(&mux.fetch(&broken).await, 403, 7, "Forbidden");
        }
        mux.fetch(address).await.is(200);
    }
}

#[tokio::test]
async fn a_token_may_lapse_in_the_middle_of_a_second() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
    let now = mux.clock.unix() as f64;
    let good = Token::new(&mux, id).claiming("exp", now + 0.5).sign();
    mux.play(id, Some(&good)).await.is(200);
    let over = Token::new(&mux, id).claiming("exp", now - 0.5).sign();
    refuses(&mux.play(id, Some(&over)).await, 403, 7, "Forbidden");
}

#[tokio::test]
async fn an_address_lapses_by_itself_not_with_the_token() {
    let mux = Mux::with(|options| options.segment_life = Duration::hours(1)).await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    let token = Token::new(&mux, id).sign();
    let rendition = mux.first_rendition(&asset).await;
    mux.clock.advance(Duration::minutes(30));
    refuses(&mux.play(id, Some(&token)).await, 403, 7, "Forbidden");
    let segment = mux.media(&rendition).await.segments[0].uri.clone();
    mux.clock.advance(Duration::minutes(29));
    mux.fetch(&rendition).await.is(200);
    mux.clock.advance(Duration::minutes(1));
    refuses(&mux.fetch(&rendition).await, 403, 7, "Forbidden");
    mux.fetch(&segment).await.is(200);
    mux.clock.advance(Duration::minutes(30));
    refuses(&mux.fetch(&segment).await, 403, 7, "Forbidden");
}

#[tokio::test]
async fn addresses_survive_a_restart() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let rendition = mux.first_rendition(&asset).await;
    let mux = mux.reopened().await;
    mux.media(&mux.here(&rendition)).await;
    mux.master(&asset).await;
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let rendition = mux.first_rendition(&asset).await;
    let segment = mux.media(&rendition).await.segments[0].uri.clone();
    let (_, query) = segment.split_once('?').unwrap();
    let id = text(&asset["id"]);
    for path in [
        "/chunk/../../mux.sqlite".to_owned(),
        "/chunk/../../../mux.sqlite".to_owned(),
        "/chunk/..%2F../source/mux.sqlite".to_owned(),
        "/chunk/%2E%2E/%2E%2E/mux.sqlite".to_owned(),
        format!("/chunk/{id}/source/..%2F..%2F..%2Fmux.sqlite"),
        format!("/chunk/{id}/..%2F..%2F../mux.sqlite"),
        format!("/chunk/{id}/source/%2Fetc%2Fpasswd"),
        format!("/chunk/{id}/source/../source/0.m4s"),
        format!("/chunk/{id}/source%2F0.m4s/"),
        format!("/chunk/{id}%2Fsource/0.m4s/0.m4s"),
        format!("/manifest/../{id}/rendition.m3u8"),
        "/stream/../../mux.sqlite.m3u8".to_owned(),
        "/stream/..%2F..%2Fmux.sqlite".to_owned(),
    ] {
        let answer = mux.get_untidy(&format!("{path}?{query}")).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["400", "403", "404"].contains(&status), "{path}: {answer}");
        assert!(!answer.contains("SQLite format"), "{path}");
    }
}
