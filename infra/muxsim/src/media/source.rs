//! An uploaded file as a tree of boxes, read by seeking.
//!
//! Every size comes from the uploader: it is held against the file's length before it is believed.

use std::{
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::Path,
};

use mp4_atom::{Atom, Decode, FourCC, Header, Moov};

use super::{
    error::{MediaError, absurd},
    sniff::HEAD,
};

/// Largest `moov` that is read, in bytes. Twelve hours at 60 frames per second need about 60 MB of
/// sample tables (ISO/IEC 14496-12 §8.6 and §8.7).
const MAX_MOVIE: u64 = 96 << 20;

/// Box headers read from one file; real files have a few hundred before their `moov` ends.
const MAX_BOXES: u32 = 20_000;

/// Where the body of one box lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region {
    pub(super) kind: FourCC,
    /// First byte of the body, counted from the start of the file.
    pub(super) start: u64,
    /// First byte after the body.
    pub(super) end: u64,
}

/// An open upload.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    /// Length in bytes when it was opened.
    pub(super) len: u64,
    boxes_left: u32,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, MediaError> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(MediaError::NotMedia);
        }
        Ok(Self {
            file: File::open(path)?,
            len: metadata.len(),
            boxes_left: MAX_BOXES,
        })
    }

    /// The first bytes of the file, fewer if it is shorter.
    pub(super) fn head(&mut self) -> Result<Vec<u8>, MediaError> {
        let mut head = Vec::with_capacity(HEAD);
        self.file.seek(SeekFrom::Start(0))?;
        Read::by_ref(&mut self.file)
            .take(HEAD as u64)
            .read_to_end(&mut head)?;
        Ok(head)
    }

    /// Finds `moov`, wherever it is, without reading what comes before it.
    pub(super) fn movie(&mut self) -> Result<Region, MediaError> {
        let mut at = 0;
        while let Some(region) = self.header(at, self.len)? {
            if region.end > self.len {
                return Err(MediaError::Truncated);
            }
            if region.kind == Moov::KIND {
                if region.end - region.start > MAX_MOVIE {
                    return Err(absurd("movie box is larger than any film needs"));
                }
                return Ok(region);
            }
            at = region.end;
        }
        if at < self.len {
            return Err(MediaError::Truncated);
        }
        Err(absurd("there is no movie box"))
    }

    /// The boxes directly inside `parent`.
    pub(super) fn children(&mut self, parent: Region) -> Result<Vec<Region>, MediaError> {
        let mut children = Vec::new();
        let mut at = parent.start;
        while let Some(region) = self.header(at, parent.end)? {
            if region.end > parent.end {
                return Err(absurd("box is larger than its parent"));
            }
            at = region.end;
            children.push(region);
        }
        Ok(children)
    }

    /// Reads a whole body; the caller says how many bytes are still sensible for its kind.
    pub(super) fn body(&mut self, region: Region, limit: u64) -> Result<Vec<u8>, MediaError> {
        let length = region.end - region.start;
        if length > limit {
            return Err(absurd("box is larger than its kind ever is"));
        }
        let length = usize::try_from(length).map_err(|_| absurd("box does not fit in memory"))?;
        let mut body = vec![0; length];
        self.read_at(region.start, &mut body)?;
        Ok(body)
    }

    /// Reads and decodes the first box of `T`'s kind among `boxes`, if there is one.
    pub(super) fn leaf<T: Atom>(&mut self, boxes: &[Region]) -> Result<Option<T>, MediaError> {
        let Some(region) = find(boxes, T::KIND) else {
            return Ok(None);
        };
        let body = self.body(region, MAX_MOVIE)?;
        let atom = T::decode_body(&mut body.as_slice());
        atom.map(Some)
            .map_err(|_| absurd("box contradicts its own length"))
    }

    /// Like [`Self::leaf`], for kinds no track can do without.
    pub(super) fn required<T: Atom>(&mut self, boxes: &[Region]) -> Result<T, MediaError> {
        self.leaf(boxes)?.ok_or(absurd("required box is missing"))
    }

    /// Copies media data to `target` without holding it in memory.
    pub(super) fn copy(
        &mut self,
        offset: u64,
        length: u64,
        target: &mut impl Write,
    ) -> Result<(), MediaError> {
        self.file.seek(SeekFrom::Start(offset))?;
        let copied = std::io::copy(&mut Read::by_ref(&mut self.file).take(length), target)?;
        if copied != length {
            return Err(MediaError::Truncated);
        }
        Ok(())
    }

    /// The box whose header is at `at`; `None` when only padding or a terminator is left there.
    fn header(&mut self, at: u64, end: u64) -> Result<Option<Region>, MediaError> {
        let mut bytes = [0; 16];
        let available = usize::try_from(end.saturating_sub(at))
            .unwrap_or(16)
            .min(16);
        if available < 8 {
            return Ok(None);
        }
        self.boxes_left = self
            .boxes_left
            .checked_sub(1)
            .ok_or(absurd("there are too many boxes"))?;
        self.read_at(at, &mut bytes[..available])?;
        let mut rest = &bytes[..available];
        let header = Header::decode(&mut rest).map_err(|_| absurd("box has an impossible size"))?;
        let start = at + (available - rest.len()) as u64;
        let end = match header.size {
            Some(size) => start
                .checked_add(size as u64)
                .ok_or(MediaError::Truncated)?,
            None => end,
        };
        Ok(Some(Region {
            kind: header.kind,
            start,
            end,
        }))
    }

    fn read_at(&mut self, at: u64, bytes: &mut [u8]) -> Result<(), MediaError> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(bytes).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                return MediaError::Truncated;
            }
            MediaError::Io(error)
        })
    }
}

/// The first box of `kind` among `boxes`.
pub(super) fn find(boxes: &[Region], kind: FourCC) -> Option<Region> {
    boxes.iter().find(|region| region.kind == kind).copied()
}
