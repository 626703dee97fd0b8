//! Texts as sparse vectors: words, pairs of words, and runs of two to five letters within a word.
//!
//! Counts are damped by their square root, weighted by rarity among the training rows, and brought to length 1 in
//! two blocks, words and letters, so that neither drowns the other. Names are 64-bit hashes, so that nothing is
//! fetched or kept but numbers; only what the training rows hold becomes a column.

/// Letters of the shortest and the longest run.
const RUNS: std::ops::RangeInclusive<usize> = 2..=5;
/// Tells the blocks apart, and sorts words before letters.
const LETTERS: u64 = 1 << 63;
/// What a row holds in the column that every row has: lets classes differ in how common they are.
const CONSTANT: f32 = 0.5;

/// Rows of a fitting, sparse: the columns of each and what stands in them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    starts: Vec<usize>,
    entries: Vec<(u32, f32)>,
    columns: usize,
}

impl Matrix {
    /// A matrix of so many columns without rows.
    pub fn new(columns: usize) -> Self {
        Self { starts: vec![0], entries: Vec::new(), columns }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        self.entries.extend(row);
        self.starts.push(self.entries.len());
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// A row's columns, ascending, and what stands in them.
    pub fn row(&self, row: usize) -> &[(u32, f32)] {
        &self.entries[self.starts[row]..self.starts[row + 1]]
    }
}

/// What a classifier reads of rows.
pub trait Representation: Sync {
    /// Rows that there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most columns that a fitting can have.
    fn columns(&self) -> usize;

    /// These rows to train on, and those to apply the classifier to: what is known of the second shapes neither.
    fn matrices(&self, training: &[usize], applied: &[usize]) -> (Matrix, Matrix);
}

/// Texts, counted.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Of each text its grams, ascending, and how often each stands in it.
    rows: Vec<Vec<(u32, f32)>>,
    grams: usize,
    /// Grams from here on are runs of letters.
    letters: u32,
}

impl Words {
    /// Counts the grams of the texts.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let hashed: Vec<Vec<u64>> = texts.into_iter().map(grams).collect();
        let mut names: Vec<u64> = hashed.iter().flatten().copied().collect();
        names.sort_unstable();
        names.dedup();
        let letters = names.partition_point(|name| name & LETTERS == 0) as u32;
        let count = |grams: &Vec<u64>| {
            let mut row: Vec<(u32, f32)> = Vec::with_capacity(grams.len());
            let mut from = 0;
            for run in grams.chunk_by(|a, b| a == b) {
                // Both are ascending: each is looked for behind the one before.
                from += names[from..].partition_point(|name| *name < run[0]);
                row.push((from as u32, (run.len() as f32).sqrt()));
            }
            row
        };
        let rows = hashed.iter().map(count).collect();
        Self { rows, grams: names.len(), letters }
    }

    /// A row by the columns of a fitting; each block of length √½, and the constant column.
    fn weighted(&self, row: usize, columns: &[(u32, f32)]) -> Vec<(u32, f32)> {
        let grams = &self.rows[row];
        let middle = grams.partition_point(|(gram, _)| *gram < self.letters);
        let mut made = Vec::with_capacity(grams.len() + 1);
        made.push((0, CONSTANT));
        for block in [&grams[..middle], &grams[middle..]] {
            let from = made.len();
            let known = block.iter().map(|(gram, count)| (columns[*gram as usize], count));
            made.extend(known.filter(|((column, _), _)| *column > 0).map(|((column, rarity), n)| (column, n * rarity)));
            let square: f32 = made[from..].iter().map(|(_, value)| value * value).sum();
            let scale = if square > 0.0 { (0.5 / square).sqrt() } else { 0.0 };
            made[from..].iter_mut().for_each(|(_, value)| *value *= scale);
        }
        made
    }
}

impl Representation for Words {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn columns(&self) -> usize {
        self.grams + 1
    }

    fn matrices(&self, training: &[usize], applied: &[usize]) -> (Matrix, Matrix) {
        let mut frequency = vec![0_u32; self.grams];
        for (gram, _) in training.iter().flat_map(|row| &self.rows[*row]) {
            frequency[*gram as usize] += 1;
        }
        let rows = training.len() as f64;
        // Column 0 is the constant; a gram without a column has none.
        let mut columns = 1;
        let rarity = |n: u32| {
            if n == 0 {
                return (0, 0.0);
            }
            columns += 1;
            (columns - 1, (1.0 + libm::log((1.0 + rows) / (1.0 + f64::from(n)))) as f32)
        };
        let by_gram: Vec<(u32, f32)> = frequency.into_iter().map(rarity).collect();
        let matrix = |rows: &[usize]| {
            let mut matrix = Matrix::new(columns as usize);
            rows.iter().for_each(|row| matrix.push(self.weighted(*row, &by_gram)));
            matrix
        };
        (matrix(training), matrix(applied))
    }
}

/// Vectors of an embeddings model.
#[derive(Debug, Clone, Default)]
pub struct Vectors {
    rows: Vec<Vec<f32>>,
    width: usize,
}

impl Vectors {
    /// Vectors, each brought to length 1; a shorter one is taken to end in zeros.
    pub fn new(rows: Vec<Vec<f32>>) -> Self {
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let unit = |row: Vec<f32>| {
            let square: f32 = row.iter().map(|value| value * value).sum();
            let scale = if square > 0.0 && square.is_finite() { square.sqrt().recip() } else { 0.0 };
            row.into_iter().map(|value| if scale > 0.0 { value * scale } else { 0.0 }).collect()
        };
        Self { rows: rows.into_iter().map(unit).collect(), width }
    }
}

impl Representation for Vectors {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn columns(&self) -> usize {
        self.width + 1
    }

    fn matrices(&self, training: &[usize], applied: &[usize]) -> (Matrix, Matrix) {
        let matrix = |rows: &[usize]| {
            let mut matrix = Matrix::new(self.width + 1);
            for row in rows {
                let values = self.rows[*row].iter().zip(1..).map(|(value, column)| (column, *value));
                matrix.push(std::iter::once((0, CONSTANT)).chain(values));
            }
            matrix
        };
        (matrix(training), matrix(applied))
    }
}

/// The names of a text's grams, ascending; one that stands there twice is there twice.
fn grams(text: &str) -> Vec<u64> {
    let lower: Vec<Vec<char>> = text
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().flat_map(char::to_lowercase).collect())
        .collect();
    let mut names = Vec::new();
    for (place, word) in lower.iter().enumerate() {
        names.push(name(word) & !LETTERS);
        if let Some(next) = lower.get(place + 1) {
            let pair: Vec<char> = word.iter().chain([&' ']).chain(next).copied().collect();
            names.push(name(&pair) & !LETTERS);
        }
        let bounded: Vec<char> = [' '].iter().chain(word).chain([&' ']).copied().collect();
        for length in RUNS {
            names.extend(bounded.windows(length).map(|run| name(run) | LETTERS));
        }
    }
    names.sort_unstable();
    names
}

/// FNV-1a over the letters: the same on every machine.
fn name(letters: &[char]) -> u64 {
    letters.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &letter| {
        (hash ^ u64::from(u32::from(letter))).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_of_a_row_has_half_of_its_length() {
        let (rows, unseen) = Words::new(["red fox", "Red, FOX!", "blue"]).matrices(&[0, 1], &[2]);
        assert_eq!(rows.row(0), rows.row(1), "case and punctuation do not count");
        let square: f32 = rows.row(0)[1..].iter().map(|(_, value)| value * value).sum();
        assert!((square - 1.0).abs() < 1e-5);
        assert_eq!(unseen.row(0), [(0, CONSTANT)], "what training has not seen is no column");
        assert!(rows.row(0).is_sorted_by_key(|(column, _)| *column));
    }

    #[test]
    fn runs_of_letters_stay_within_a_word() {
        let letters = |text| grams(text).into_iter().filter(|name| name & LETTERS != 0).collect::<Vec<_>>();
        let mut apart = [letters("ab"), letters("cd")].concat();
        apart.sort_unstable();
        assert_eq!(letters("ab cd"), apart);
    }

    #[test]
    fn held_out_rows_do_not_shape_the_columns() {
        let alone = Words::new(["a bc", "de f", "zz"]).matrices(&[0, 1], &[]).0;
        let beside = Words::new(["a bc", "de f", "a de"]).matrices(&[0, 1], &[2]).0;
        assert_eq!(alone, beside);
    }

    #[test]
    fn vectors_have_length_one_and_zeros_stay() {
        let (rows, _) = Vectors::new(vec![vec![3.0, 4.0], vec![0.0, 0.0], vec![2.0]]).matrices(&[0, 1, 2], &[]);
        assert_eq!(rows.row(0)[1..], [(1, 0.6), (2, 0.8)]);
        assert!(rows.row(1)[1..].iter().all(|(_, value)| *value == 0.0));
        assert_eq!((rows.len(), rows.columns(), rows.is_empty()), (3, 3, false));
    }
}
