//! The sample tables of one track, expanded one sample at a time (ISO/IEC 14496-12 §8.6 and §8.7).

use std::iter::{repeat, repeat_n};

use mp4_atom::{
    Co64, Ctts, CttsEntry, Stco, Stsc, StscEntry, Stss, Stsz, StszSamples, Stts, SttsEntry,
};

use super::{
    error::{MediaError, absurd},
    source::{Region, Source},
};

/// Samples one track may have: twelve hours of video at 90 frames per second, or of AAC at 96 kHz.
const MAX_SAMPLES: usize = 4_200_000;

/// One frame or audio packet. Times are in ticks of the track's timescale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// Position in the file, in bytes.
    pub(super) offset: u64,
    /// Length in bytes.
    pub(super) size: u32,
    pub(super) decode: u64,
    pub(super) duration: u32,
    /// What is added to the decode time to get the time of presentation.
    pub(super) composition: i64,
    pub(super) sync: bool,
}

impl Sample {
    /// When the sample is presented, before any edit list.
    pub(super) fn presentation(&self) -> i64 {
        i64::try_from(self.decode)
            .unwrap_or(i64::MAX)
            .saturating_add(self.composition)
    }
}

/// What walking all samples once has shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Totals {
    pub(super) samples: usize,
    pub(super) bytes: u64,
    /// Sum of all durations, in ticks.
    pub(super) ticks: u64,
}

/// The tables as stored: memory is that of the boxes, whatever counts they state.
#[derive(Debug, Default)]
pub(super) struct SampleTable {
    durations: Vec<SttsEntry>,
    compositions: Vec<CttsEntry>,
    /// Numbers of the sync samples, from 1; without the table all are.
    syncs: Option<Vec<u32>>,
    runs: Vec<StscEntry>,
    sizes: StszSamples,
    chunks: Vec<u32>,
    /// Used instead of `chunks` in files beyond 4 GiB.
    long_chunks: Vec<u64>,
}

impl SampleTable {
    pub(super) fn read(source: &mut Source, stbl: &[Region]) -> Result<Self, MediaError> {
        Ok(Self {
            durations: source.required::<Stts>(stbl)?.entries,
            compositions: source.leaf::<Ctts>(stbl)?.unwrap_or_default().entries,
            syncs: source.leaf::<Stss>(stbl)?.map(|stss| stss.entries),
            runs: source.required::<Stsc>(stbl)?.entries,
            sizes: source.required::<Stsz>(stbl)?.samples,
            chunks: source.leaf::<Stco>(stbl)?.unwrap_or_default().entries,
            long_chunks: source.leaf::<Co64>(stbl)?.unwrap_or_default().entries,
        })
    }

    /// How many samples the track says it has.
    pub(super) fn len(&self) -> usize {
        match &self.sizes {
            StszSamples::Identical { count, .. } => widen(*count),
            StszSamples::Different { sizes } => sizes.len(),
        }
    }

    /// Walks everything once: afterwards no table ends early and no sample lies outside the file.
    pub(super) fn check(&self, file_len: u64) -> Result<Totals, MediaError> {
        let samples = self.len();
        if samples > MAX_SAMPLES {
            return Err(absurd("there are too many samples"));
        }
        let mut totals = Totals {
            samples: 0,
            bytes: 0,
            ticks: 0,
        };
        for sample in self.samples() {
            let end = sample.offset.checked_add(sample.size.into());
            if end.is_none_or(|end| end > file_len) {
                return Err(MediaError::Truncated);
            }
            totals.samples += 1;
            totals.bytes += u64::from(sample.size);
            totals.ticks += u64::from(sample.duration);
            if totals.bytes > file_len {
                return Err(absurd("samples are larger than the file"));
            }
        }
        if totals.samples != samples {
            return Err(absurd("sample tables disagree about the number of samples"));
        }
        Ok(totals)
    }

    /// All samples in decode order, ending where the shortest table does.
    pub(super) fn samples(&self) -> Box<dyn Iterator<Item = Sample> + '_> {
        let sizes = (0..self.len()).map(|index| match &self.sizes {
            StszSamples::Identical { size, .. } => *size,
            StszSamples::Different { sizes } => sizes.get(index).copied().unwrap_or(0),
        });
        let durations = self
            .durations
            .iter()
            .flat_map(|run| repeat_n(run.sample_delta, widen(run.sample_count)));
        let compositions = self
            .compositions
            .iter()
            .flat_map(|run| repeat_n(signed(run.sample_offset), widen(run.sample_count)))
            .chain(repeat(0));
        let mut syncs = self
            .syncs
            .as_ref()
            .map(|numbers| numbers.iter().copied().peekable());
        let (mut number, mut decode, mut chunk, mut offset) = (0_u32, 0_u64, usize::MAX, 0_u64);
        let samples = sizes.zip(self.places()).zip(durations).zip(compositions);
        Box::new(
            samples.map(move |(((size, place), duration), composition)| {
                number = number.saturating_add(1);
                if place.0 != chunk {
                    (chunk, offset) = place;
                }
                let sync = syncs.as_mut().is_none_or(|numbers| {
                    while numbers.next_if(|it| *it < number).is_some() {}
                    numbers.next_if_eq(&number).is_some()
                });
                let sample = Sample {
                    offset,
                    size,
                    decode,
                    duration,
                    composition,
                    sync,
                };
                offset = offset.saturating_add(size.into());
                decode = decode.saturating_add(duration.into());
                sample
            }),
        )
    }

    /// For each sample, the number and the position of its chunk.
    fn places(&self) -> impl Iterator<Item = (usize, u64)> {
        let short = self.chunks.iter().map(|offset| u64::from(*offset));
        let chunks = short.chain(self.long_chunks.iter().copied());
        let mut runs = self.runs.iter().peekable();
        let mut per_chunk = 0;
        chunks.enumerate().flat_map(move |(index, offset)| {
            while let Some(run) = runs.next_if(|run| widen(run.first_chunk) <= index + 1) {
                per_chunk = widen(run.samples_per_chunk);
            }
            repeat_n((index, offset), per_chunk)
        })
    }
}

/// `QuickTime` files store negative offsets in tables whose version says unsigned.
fn signed(offset: i64) -> i64 {
    if offset > i64::from(i32::MAX) {
        return offset - (1 << 32);
    }
    offset
}

fn widen(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use mp4_atom::{StscEntry, StszSamples, SttsEntry};

    use super::{MediaError, SampleTable};

    fn table(count: u32) -> SampleTable {
        SampleTable {
            durations: vec![SttsEntry {
                sample_count: u32::MAX,
                sample_delta: 10,
            }],
            syncs: Some(vec![1, 4]),
            runs: vec![
                StscEntry {
                    first_chunk: 1,
                    samples_per_chunk: 2,
                    sample_description_index: 1,
                },
                StscEntry {
                    first_chunk: 2,
                    samples_per_chunk: 3,
                    sample_description_index: 1,
                },
            ],
            sizes: StszSamples::Identical { count, size: 5 },
            chunks: vec![100, 200],
            ..SampleTable::default()
        }
    }

    #[test]
    fn samples_follow_their_chunks() {
        let table = table(5);
        let offsets: Vec<_> = table.samples().map(|sample| sample.offset).collect();
        let syncs: Vec<_> = table.samples().map(|sample| sample.sync).collect();
        assert_eq!(offsets, [100, 105, 200, 205, 210]);
        assert_eq!(syncs, [true, false, false, true, false]);
        assert_eq!(table.check(215).unwrap().ticks, 50);
    }

    #[test]
    fn counts_are_not_believed() {
        assert!(matches!(table(5).check(214), Err(MediaError::Truncated)));
        for count in [6, u32::MAX] {
            assert!(matches!(
                table(count).check(1 << 40),
                Err(MediaError::Absurd { .. })
            ));
        }
    }
}
