//! Rows that all cores parse, taken in the order of the files.

use std::path::Path;

use super::lines::Lines;
use super::{ExampleSource, OpenFile, Row, RowFault, open_file};
use crate::pipeline;

/// Bytes of lines, and rows of a CSV file, that one core parses at a time.
const BLOCK_BYTES: usize = 256 * 1024;
const BLOCK_ROWS: usize = 1024;

/// A part of a file.
enum Block {
    Lines(Lines),
    /// A CSV file is parsed by the thread that reads it: where a row ends is seen by parsing alone.
    Rows(Vec<Result<Row, RowFault>>),
}

/// The rows up to the limit are through.
struct Enough;

/// What came of a row.
enum Worked<R> {
    Fault(R),
    /// `None` where another shard has it.
    Example(Option<R>),
}

impl ExampleSource {
    /// Calls `work` on each selected example and each fault, on all cores, and `take` on what came of it, in the order
    /// of the files: as [`ExampleSource::read`], for what looks at all of them.
    pub fn each<R: Send>(&self, work: impl Fn(Result<Row, RowFault>) -> R + Sync, mut take: impl FnMut(R)) {
        let mut left = self.spec().limit.unwrap_or(u64::MAX);
        if left == 0 {
            return;
        }
        self.select();
        let taken = |worked: Vec<Worked<R>>| {
            for one in worked {
                match one {
                    Worked::Fault(fault) => take(fault),
                    Worked::Example(example) => {
                        left -= 1;
                        example.map(&mut take);
                    }
                }
                if left == 0 {
                    return Err(Enough);
                }
            }
            Ok(())
        };
        // That there were enough is no fault.
        let (Ok(()) | Err(Enough)) =
            pipeline::in_order(|hand| self.blocks(hand), |(file, block)| self.worked(file, block, &work), taken);
    }

    /// Hands over the files, in blocks with the file that each is of.
    fn blocks(&self, hand: &mut dyn FnMut((usize, Block), usize) -> Result<(), Enough>) -> Result<(), Enough> {
        // A full block is enough for a core; small files are not worth a thread.
        let weight = |is_full: bool, size: usize| if is_full { pipeline::BATCH_BYTES } else { size };
        for (file, path) in self.files().iter().enumerate() {
            match open_file(path, self.spec()) {
                Err(fault) => hand((file, Block::Rows(vec![Err(fault)])), 0)?,
                Ok(OpenFile::Lines(mut lines)) => {
                    while let Some(lines) = lines.next_lines(path, BLOCK_BYTES) {
                        let bytes = lines.bytes();
                        hand((file, Block::Lines(lines)), weight(bytes >= BLOCK_BYTES, bytes))?;
                    }
                }
                Ok(OpenFile::Csv(mut rows)) => {
                    let mut next = || rows.next_row(path, self.spec());
                    loop {
                        let read = std::iter::from_fn(&mut next).take(BLOCK_ROWS);
                        let rows: Vec<_> =
                            read.map(|row| row.map(|(example, line)| Row { example, line, file })).collect();
                        let count = rows.len();
                        if count == 0 {
                            break;
                        }
                        hand((file, Block::Rows(rows)), weight(count == BLOCK_ROWS, count))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn worked<R>(&self, file: usize, block: Block, work: &impl Fn(Result<Row, RowFault>) -> R) -> Vec<Worked<R>> {
        let path: &Path = &self.files()[file];
        let shard = self.spec().shard;
        let one = |row: Result<Row, RowFault>| match row {
            Err(fault) => Some(Worked::Fault(work(Err(fault)))),
            Ok(row) if !self.wants(&row.example) => None,
            Ok(row) if shard.is_some_and(|shard| !shard.has(&row.example)) => Some(Worked::Example(None)),
            Ok(row) => Some(Worked::Example(Some(work(Ok(row))))),
        };
        match block {
            Block::Rows(rows) => rows.into_iter().filter_map(one).collect(),
            Block::Lines(lines) => lines
                .parse(path, self.spec())
                .map(|row| row.map(|(example, line)| Row { example, line, file }))
                .filter_map(one)
                .collect(),
        }
    }
}
