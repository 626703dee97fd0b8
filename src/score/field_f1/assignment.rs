//! Which items of two lists belong together so that most pairs are right: the assignment problem,
//! solved by the Hungarian method with potentials (Kuhn 1955; O(rows² · columns)).

/// Pairs (row, column) of greatest total weight; each row and each column is in one pair at most,
/// and the shorter side is paired in full. In order of the rows.
pub(super) fn best(weights: &[Vec<u64>]) -> Vec<(usize, usize)> {
    let (rows, columns) = (weights.len(), weights.first().map_or(0, Vec::len));
    if rows == 0 || columns == 0 {
        return Vec::new();
    }
    let cost = |row: usize, column: usize| {
        let weight = if rows <= columns { weights[row][column] } else { weights[column][row] };
        -(weight as i64)
    };
    let matched = assign(rows.min(columns), rows.max(columns), cost);
    let mut pairs: Vec<_> =
        matched.into_iter().map(|(short, long)| if rows <= columns { (short, long) } else { (long, short) }).collect();
    pairs.sort_unstable();
    pairs
}

/// Pairs of least total cost, every one of the `rows` paired; `rows <= columns`.
///
/// Rows and columns count from 1 inside, as 0 stands for "none".
fn assign(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> i64) -> Vec<(usize, usize)> {
    let (mut row_potential, mut column_potential) = (vec![0_i64; rows + 1], vec![0_i64; columns + 1]);
    let mut row_of = vec![0_usize; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut column = 0;
        let (mut slack, mut used) = (vec![i64::MAX; columns + 1], vec![false; columns + 1]);
        let mut previous = vec![0_usize; columns + 1];
        while row_of[column] != 0 {
            used[column] = true;
            let (current, mut delta, mut next) = (row_of[column], i64::MAX, 0);
            for other in (1..=columns).filter(|&other| !used[other]) {
                let reduced = cost(current - 1, other - 1) - row_potential[current] - column_potential[other];
                if reduced < slack[other] {
                    (slack[other], previous[other]) = (reduced, column);
                }
                if slack[other] < delta {
                    (delta, next) = (slack[other], other);
                }
            }
            for other in 0..=columns {
                if used[other] {
                    row_potential[row_of[other]] += delta;
                    column_potential[other] -= delta;
                } else if other > 0 {
                    slack[other] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[previous[column]];
            column = previous[column];
        }
    }
    (1..=columns).filter(|&column| row_of[column] != 0).map(|column| (row_of[column] - 1, column - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The best total by trying everything.
    fn brute(weights: &[Vec<u64>], row: usize, taken: &mut Vec<bool>) -> u64 {
        let Some(line) = weights.get(row) else { return 0 };
        let mut most = brute(weights, row + 1, taken);
        for column in 0..line.len() {
            if !taken[column] {
                taken[column] = true;
                most = most.max(line[column] + brute(weights, row + 1, taken));
                taken[column] = false;
            }
        }
        most
    }

    proptest! {
        #[test]
        fn no_other_pairing_is_better(rows in 0_usize..6, columns in 0_usize..6, cells in prop::collection::vec(0_u64..5, 36)) {
            let weights: Vec<Vec<u64>> = (0..rows).map(|row| cells[row * 6..row * 6 + columns].to_vec()).collect();
            let pairs = best(&weights);
            let total: u64 = pairs.iter().map(|&(row, column)| weights[row][column]).sum();
            prop_assert_eq!(total, brute(&weights, 0, &mut vec![false; columns]));
            prop_assert_eq!(pairs.len(), if rows == 0 { 0 } else { rows.min(columns) });
        }
    }
}
