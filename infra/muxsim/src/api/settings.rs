//! What an asset may be asked to be: checked once, for uploads and for assets, and brought into the
//! form in which Mux shows it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{documents::Policy, error::ApiError, fetch, media::statics::Static};

/// Characters of `passthrough` (mux.com/docs/api-reference/video/direct-uploads).
const PASSTHROUGH_MAX: usize = 255;

/// The fields of `meta` and how many characters each may have (the same page).
const META: [(&str, usize); 3] = [("title", 512), ("creator_id", 128), ("external_id", 128)];

/// Settings with a fixed set of values (the same page).
const CHOICES: [(&str, &[&str]); 5] = [
    ("video_quality", &["basic", "plus", "premium"]),
    ("encoding_tier", &["baseline", "smart", "premium"]),
    ("max_resolution_tier", &["1080p", "1440p", "2160p"]),
    ("master_access", &["none", "temporary"]),
    (
        "mp4_support",
        &[
            "none",
            "capped-1080p",
            "audio-only",
            "audio-only,capped-1080p",
        ],
    ),
];

/// Of which type each setting is; what nobody knows is kept as it is.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only its types are of interest")]
struct Types {
    passthrough: Option<String>,
    meta: Option<BTreeMap<String, String>>,
    normalize_audio: Option<bool>,
    test: Option<bool>,
    static_renditions: Option<Vec<Rendition>>,
    inputs: Option<Vec<InputTypes>>,
}

#[derive(Deserialize)]
struct Rendition {
    resolution: String,
    #[serde(default)]
    passthrough: Option<String>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its types are of interest")]
struct InputTypes {
    url: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    language_code: Option<String>,
    passthrough: Option<String>,
    closed_captions: Option<bool>,
}

/// Whether settings are known, and where they are written in several ways, in one of them.
pub(super) fn checked(mut settings: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    policies(&mut settings)?;
    inputs(&mut settings)?;
    let types: Types = serde_path_to_error::deserialize(Value::from(settings.clone()))
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    check_passthrough(types.passthrough.as_deref().unwrap_or_default())?;
    check_meta(&types.meta.unwrap_or_default())?;
    for (name, choices) in CHOICES {
        if let Some(value) = settings.get(name).filter(|it| !it.is_null())
            && !value.as_str().is_some_and(|it| choices.contains(&it))
        {
            return Err(ApiError::invalid(format!(
                "{name} must be one of {}",
                choices.join(", ")
            )));
        }
    }
    renditions(&settings, &types.static_renditions.unwrap_or_default())?;
    Ok(settings)
}

/// What stands in a playlist between quotes.
pub(super) fn check_name(what: &str, text: &str) -> Result<(), ApiError> {
    if text.chars().any(|it| it == '"' || it.is_control()) {
        return Err(ApiError::invalid(format!(
            "{what} must have neither quotes nor line ends"
        )));
    }
    Ok(())
}

pub(super) fn check_passthrough(text: &str) -> Result<(), ApiError> {
    if text.chars().count() > PASSTHROUGH_MAX {
        return Err(ApiError::invalid(
            "passthrough must be at most 255 characters",
        ));
    }
    Ok(())
}

pub(super) fn check_meta(meta: &BTreeMap<String, String>) -> Result<(), ApiError> {
    for (name, most) in META {
        if meta.get(name).is_some_and(|it| it.chars().count() > most) {
            return Err(ApiError::invalid(format!(
                "meta.{name} must be at most {most} characters"
            )));
        }
    }
    Ok(())
}

/// One policy or a list, under the new name or the old one: a list under the new one.
fn policies(settings: &mut Map<String, Value>) -> Result<(), ApiError> {
    let deprecated = settings.remove("playback_policy");
    let policy = settings.remove("playback_policies").or(deprecated);
    let policy = policy.filter(|it| !it.is_null());
    let advanced = settings.get("advanced_playback_policies").map(|it| {
        let entries = it.as_array().into_iter().flatten();
        entries.map(|it| it["policy"].clone()).collect::<Value>()
    });
    let policy = policy.or(advanced);
    let Some(list) = policy.filter(|it| !it.is_null()).map(listed) else {
        return Ok(());
    };
    if serde_json::from_value::<Vec<Policy>>(list.clone()).is_err() {
        return Err(ApiError::invalid(
            "playback_policies must be public or signed; drm is not supported here",
        ));
    }
    settings.insert("playback_policies".to_owned(), list);
    Ok(())
}

/// An address, an object or a list of either, under `inputs` or `input`: a list of objects.
fn inputs(settings: &mut Map<String, Value>) -> Result<(), ApiError> {
    let deprecated = settings.remove("input");
    let inputs = settings.remove("inputs").or(deprecated);
    let Some(inputs) = inputs.filter(|it| !it.is_null()).map(listed) else {
        return Ok(());
    };
    let inputs: Vec<Value> = inputs.as_array().into_iter().flatten().map(input).collect();
    for (n, input) in inputs.iter().enumerate() {
        let wrong = |why: &str| ApiError::invalid(format!("inputs[{n}] {why}"));
        let kind = input["type"].as_str();
        let extra = matches!(kind, Some("text" | "audio"));
        match input["url"].as_str() {
            Some(url) if fetch::web_address(url).is_none() => {
                return Err(wrong("url must be http or https"));
            }
            None if extra => return Err(wrong("needs a url")),
            _ => {}
        }
        for name in ["name", "language_code"] {
            check_name(name, input[name].as_str().unwrap_or_default())?;
        }
        for name in [
            "overlay_settings",
            "generated_subtitles",
            "start_time",
            "end_time",
        ] {
            if !input[name].is_null() {
                return Err(wrong(&format!("{name} are not supported here")));
            }
        }
    }
    settings.insert("inputs".to_owned(), inputs.into());
    Ok(())
}

fn listed(value: Value) -> Value {
    if value.is_array() {
        value
    } else {
        json!([value])
    }
}

fn input(value: &Value) -> Value {
    if value.is_string() {
        json!({"url": value})
    } else {
        value.clone()
    }
}

fn renditions(settings: &Map<String, Value>, wanted: &[Rendition]) -> Result<(), ApiError> {
    let older = settings.get("mp4_support").and_then(Value::as_str);
    if !wanted.is_empty() && older.is_some_and(|it| it != "none") {
        return Err(exclusive());
    }
    let mut names = BTreeSet::new();
    for rendition in wanted {
        check_resolution(&rendition.resolution)?;
        check_passthrough(rendition.passthrough.as_deref().unwrap_or_default())?;
        if !names.insert(&rendition.resolution) {
            return Err(ApiError::invalid(
                "static_renditions names a resolution twice",
            ));
        }
    }
    Ok(())
}

/// The two ways to ask for files.
pub(super) fn exclusive() -> ApiError {
    ApiError::invalid("static_renditions and mp4_support exclude each other")
}

/// Whether there are static renditions of this name.
pub(super) fn check_resolution(resolution: &str) -> Result<(), ApiError> {
    if resolution.starts_with("capped") || Static::parse(resolution).is_none() {
        return Err(ApiError::invalid(
            "resolution must be one of highest, audio-only, 2160p, 1440p, 1080p, 720p, 540p, 480p, 360p, 270p",
        ));
    }
    Ok(())
}
