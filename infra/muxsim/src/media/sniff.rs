//! Tells containers apart by their first bytes, so that no demuxer ever gets to guess.
//!
//! Letting ffmpeg guess would let an upload pose as a playlist and name other files of this machine.

/// A container this product takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// MP4 and `QuickTime`: the one family that is packaged without help.
    Mp4,
    /// Anything else, by the name of the only ffmpeg demuxer that may open it.
    Other(&'static str),
}

impl Container {
    /// The value of ffmpeg's `-format_whitelist`.
    pub(super) fn demuxer(self) -> &'static str {
        match self {
            Self::Mp4 => "mov",
            Self::Other(demuxer) => demuxer,
        }
    }
}

/// How many bytes [`sniff`] wants to see: three MPEG transport stream packets and a bit.
pub(super) const HEAD: usize = 512;

/// Magic numbers at the very start of a file.
const PREFIXES: [(&[u8], &str); 10] = [
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"OggS", "ogg"),
    (b"FLV\x01", "flv"),
    (b"fLaC", "flac"),
    (b"ID3", "mp3"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "mxf"),
    (b"\xff\xf1", "aac"),
    (b"\xff\xf9", "aac"),
];

/// Box types an MP4 (ISO/IEC 14496-12 §4.3) or a `QuickTime` file may open with.
const FIRST_BOXES: [&[u8; 4]; 10] = [
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"uuid", b"moof",
];

/// MPEG transport stream packets: 188 bytes, 192 with the time stamp of Blu-ray and AVCHD.
const PACKETS: [(usize, usize); 2] = [(0, 188), (4, 192)];

/// The container of a file that starts with `head`, or `None` when it is none of ours.
pub(super) fn sniff(head: &[u8]) -> Option<Container> {
    if head
        .get(4..8)
        .is_some_and(|kind| FIRST_BOXES.iter().any(|it| *it == kind))
    {
        return Some(Container::Mp4);
    }
    if let Some((_, demuxer)) = PREFIXES.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(Container::Other(demuxer));
    }
    if head.starts_with(b"RIFF") {
        return match head.get(8..12) {
            Some(b"AVI ") => Some(Container::Other("avi")),
            Some(b"WAVE") => Some(Container::Other("wav")),
            _ => None,
        };
    }
    if is_transport_stream(head) {
        return Some(Container::Other("mpegts"));
    }
    is_mp3_frame(head).then_some(Container::Other("mp3"))
}

fn is_transport_stream(head: &[u8]) -> bool {
    PACKETS
        .iter()
        .any(|(at, step)| (0..2).all(|packet| head.get(at + packet * step) == Some(&0x47)))
}

/// An MPEG audio frame header of layer III: 11 bits of sync, and no reserved value in any field.
fn is_mp3_frame(head: &[u8]) -> bool {
    let &[0xff, second, third, _, ..] = head else {
        return false;
    };
    second & 0xe6 == 0xe2
        && second & 0x18 != 0x08
        && third & 0xf0 != 0xf0
        && third & 0xf0 != 0
        && third & 0x0c != 0x0c
}

#[cfg(test)]
mod tests {
    use super::{Container, sniff};

    #[test]
    fn containers_are_known_by_their_magic() {
        assert_eq!(sniff(b"\0\0\0\x20ftypisom"), Some(Container::Mp4));
        assert_eq!(
            sniff(b"\x1a\x45\xdf\xa3\x01\0\0\0"),
            Some(Container::Other("matroska"))
        );
        assert_eq!(
            sniff(b"RIFF\0\0\0\0AVI LIST"),
            Some(Container::Other("avi"))
        );
        assert_eq!(
            sniff(b"\xff\xfb\x90\x64\0\0"),
            Some(Container::Other("mp3"))
        );
        let mut packets = [0; 400];
        (packets[0], packets[188]) = (0x47, 0x47);
        assert_eq!(sniff(&packets), Some(Container::Other("mpegts")));
    }

    #[test]
    fn text_pictures_and_playlists_are_not_media() {
        for head in [
            b"".as_slice(),
            b"hello, this is a text",
            b"#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd",
            b"ffconcat version 1.0\nfile /etc/passwd",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b"\xff\xd8\xff\xe0\0\x10JFIF",
            b"RIFF\0\0\0\0WEBPVP8 ",
            &[0; 512],
            &[0xff; 512],
        ] {
            assert_eq!(sniff(head), None, "{}", head.escape_ascii());
        }
    }
}
