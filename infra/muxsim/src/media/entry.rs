//! Sample entries: which codec a track has, and its entry rebuilt for the output.
//!
//! Entries are taken apart here rather than by the library, whose recursion has no limit.

use mp4_atom::{
    Atom, Audio, Avc1, Avc3, Avcc, Buf, Codec, Colr, Decode, Esds, FourCC, Header, Mp4a, Pasp,
    Visual,
};

use super::error::{MediaError, absurd};

/// Largest `esds` that is decoded, in bytes: its descriptors nest, and real ones take about 50.
const MAX_ESDS: usize = 512;

/// `objectTypeIndication` of MPEG-4 audio (ISO/IEC 14496-1 §7.2.6.6).
const MPEG4_AUDIO: u8 = 0x40;

/// Sampling rates in hertz by `samplingFrequencyIndex` (ISO/IEC 14496-3 §1.6.3.4).
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// One codec configuration, ready to be written again.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) codec: Codec,
    /// RFC 6381 name, as `CODECS` of a playlist carries it.
    pub(super) name: String,
    pub(super) form: Form,
}

/// What the codec describes, before any rotation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// Coded size in pixels.
    Video { width: u16, height: u16 },
    /// Channels, and samples per second.
    Audio { channels: u16, rate: u32 },
}

/// Reads the body of `stsd` (ISO/IEC 14496-12 §8.5.2).
pub(super) fn parse(stsd: &[u8]) -> Result<Entry, MediaError> {
    let mut body = stsd;
    let (_flags, count) = (read::<u32>(&mut body)?, read::<u32>(&mut body)?);
    let entry = children(body).next().filter(|_| count > 0);
    let Some((kind, entry)) = entry else {
        return Err(absurd("track has no sample description"));
    };
    if count > 1 {
        return Err(MediaError::unsupported("track that changes its codec"));
    }
    match <[u8; 4]>::from(kind).as_slice() {
        b"avc1" | b"avc3" => video(kind, entry),
        b"mp4a" => audio(entry),
        b"encv" | b"enca" => Err(MediaError::unsupported("encrypted media")),
        name => Err(MediaError::unsupported(format!(
            "codec {}",
            name.escape_ascii()
        ))),
    }
}

fn video(kind: FourCC, mut body: &[u8]) -> Result<Entry, MediaError> {
    let Visual { width, height, .. } = read(&mut body)?;
    if width == 0 || height == 0 {
        return Err(absurd("picture has no size"));
    }
    let avcc: Avcc = child(body).ok_or(absurd("H.264 configuration is missing"))?;
    let profile = avcc.avc_profile_indication;
    // Baseline, Main, Extended and High (ISO/IEC 14496-10 Annex A): what browsers decode.
    if !matches!(profile, 66 | 77 | 88 | 100) {
        return Err(MediaError::unsupported(format!("H.264 profile {profile}")));
    }
    let (colr, pasp) = (child::<Colr>(body), child::<Pasp>(body));
    let visual = Visual {
        data_reference_index: 1,
        width,
        height,
        ..Visual::default()
    };
    let name = format!(
        "{kind}.{profile:02x}{:02x}{:02x}",
        avcc.profile_compatibility, avcc.avc_level_indication
    );
    // Only `avc3` may carry its parameter sets in the samples (ISO/IEC 14496-15 §5.3.3.1).
    let codec = if kind == Avc3::KIND {
        Codec::from(Avc3 {
            visual,
            avcc,
            colr,
            pasp,
            ..Avc3::default()
        })
    } else if avcc.sequence_parameter_sets.is_empty() {
        return Err(absurd("H.264 parameter sets are missing"));
    } else {
        Codec::from(Avc1 {
            visual,
            avcc,
            colr,
            pasp,
            ..Avc1::default()
        })
    };
    Ok(Entry {
        codec,
        name,
        form: Form::Video { width, height },
    })
}

fn audio(mut body: &[u8]) -> Result<Entry, MediaError> {
    let audio: Audio = read(&mut body)?;
    let esds = esds(body).ok_or(MediaError::unsupported(
        "audio without an AAC configuration",
    ))?;
    let config = &esds.es_desc.dec_config;
    let Some(specific) = config.dec_specific.as_ref().filter(|it| it.raw.len() >= 2) else {
        return Err(MediaError::unsupported("AAC without its configuration"));
    };
    // Low complexity, and the two high-efficiency profiles (ISO/IEC 14496-3 §1.5.1.1).
    if config.object_type_indication != MPEG4_AUDIO || !matches!(specific.profile, 2 | 5 | 29) {
        return Err(MediaError::unsupported(format!(
            "audio object {:#x}.{}",
            config.object_type_indication, specific.profile
        )));
    }
    let core = RATES.get(usize::from(specific.freq_index)).copied();
    let stated = Some(u32::from(audio.sample_rate.integer())).filter(|rate| *rate > 0);
    // High-efficiency AAC names its core's rate, which is half of what is heard.
    let rate = match specific.profile {
        2 => core.or(stated),
        _ => stated.or(core),
    };
    let channels = match specific.chan_conf {
        0 => audio.channel_count,
        7 => 8,
        channels => u16::from(channels),
    };
    let Some(rate) = rate.filter(|_| channels > 0) else {
        return Err(absurd("sound has no channels or no rate"));
    };
    let name = format!("mp4a.40.{}", specific.profile);
    let audio = Audio {
        data_reference_index: 1,
        channel_count: channels,
        sample_size: 16,
        // The field is 16 bits wide: higher rates are stated by the AAC configuration alone.
        sample_rate: u16::try_from(rate).unwrap_or(0).into(),
    };
    let codec = Codec::from(Mp4a {
        audio,
        esds,
        btrt: None,
        taic: None,
    });
    Ok(Entry {
        codec,
        name,
        form: Form::Audio { channels, rate },
    })
}

/// `esds` sits in the entry itself, or in the `wave` box of a `QuickTime` file.
fn esds(body: &[u8]) -> Option<Esds> {
    let wave = FourCC::new(b"wave");
    let nested = children(body)
        .find(|(kind, _)| *kind == wave)
        .map_or(&[][..], |(_, inner)| inner);
    let (_, bytes) = children(body)
        .chain(children(nested))
        .find(|(kind, _)| *kind == Esds::KIND)?;
    Some(bytes)
        .filter(|it| it.len() <= MAX_ESDS)
        .and_then(decode)
}

fn child<T: Atom>(body: &[u8]) -> Option<T> {
    children(body)
        .find(|(kind, _)| *kind == T::KIND)
        .and_then(|(_, bytes)| decode(bytes))
}

fn decode<T: Atom>(mut bytes: &[u8]) -> Option<T> {
    T::decode_body(&mut bytes).ok()
}

/// The boxes of a body that is in memory; ends at the first that does not fit.
fn children(mut body: &[u8]) -> impl Iterator<Item = (FourCC, &[u8])> {
    std::iter::from_fn(move || {
        let header = Header::decode(&mut body).ok()?;
        let (inner, rest) = body.split_at_checked(header.size.unwrap_or(body.remaining()))?;
        body = rest;
        Some((header.kind, inner))
    })
}

fn read<T: Decode>(body: &mut &[u8]) -> Result<T, MediaError> {
    T::decode(body).map_err(|_| absurd("sample description is too short"))
}

#[cfg(test)]
mod tests {
    use super::{MAX_ESDS, MediaError, audio, children};

    #[test]
    fn nested_descriptors_do_not_exhaust_the_stack() {
        let mut descriptors = Vec::new();
        while descriptors.len() < 100_000 {
            descriptors.extend_from_slice(&[0x03, 0xff, 0xff, 0x7f, 0, 0, 0]);
        }
        for length in [MAX_ESDS - 4, descriptors.len()] {
            let mut entry = vec![0; 28];
            let size = u32::try_from(length + 12).unwrap();
            entry.extend_from_slice(&size.to_be_bytes());
            entry.extend_from_slice(b"esds\0\0\0\0");
            entry.extend_from_slice(&descriptors[..length]);
            assert!(matches!(audio(&entry), Err(MediaError::Unsupported { .. })));
        }
    }

    #[test]
    fn children_end_at_a_box_that_does_not_fit() {
        let body = b"\0\0\0\x09free!\0\0\0\x20skip";
        assert_eq!(children(body).count(), 1);
        assert_eq!(children(b"\0\0\0\x01free").count(), 0);
        assert_eq!(children(b"\0\0\0\x03free").count(), 0);
    }
}
