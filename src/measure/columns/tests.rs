use proptest::prelude::*;

use super::*;
use crate::units::Usd;

/// A column as it would be without any thrift.
#[derive(Default)]
struct Plain(Vec<(u32, u16)>);

impl Plain {
    fn add(&mut self, example: usize, score: f64, scale: f64) {
        if self.0.len() <= example {
            self.0.resize(example + 1, (0, 0));
        }
        let units = (score.clamp(0.0, 1.0) * scale).round() as u32;
        let (sum, count) = self.0[example];
        self.0[example] = (sum.saturating_add(units), count.saturating_add(1));
    }
}

proptest! {
    #[test]
    fn numbers_come_back_whatever_else_is_kept(
        numbers in prop::collection::vec((0..40_usize, prop_oneof![0..3_u32, 250..260_u32, 65_530..65_540_u32, Just(u32::MAX - 1)]), 0..60),
    ) {
        let (mut kept, mut plain) = (Numbers::default(), std::collections::BTreeMap::new());
        for (place, number) in numbers {
            kept.set(place, number);
            plain.insert(place, number);
        }
        for place in 0..45 {
            prop_assert_eq!(kept.get(place), plain.get(&place).copied());
        }
        prop_assert_eq!(kept.len(), plain.last_key_value().map_or(0, |(place, _)| place + 1));
    }

    #[test]
    fn a_column_gives_the_sums_of_the_plain_form(
        scores in prop::collection::vec((0..4_usize, prop_oneof![9 => Just(1.0), 9 => Just(0.0), 1 => -0.5..1.5_f64]), 0..90),
        repeats in prop_oneof![Just(1_u32), Just(90), Just(1000)],
    ) {
        let scale = fixed_point_scale(repeats);
        let (mut column, mut plain) = (Column::default(), Plain::default());
        for (example, score) in scores {
            column.add(example, score, scale);
            plain.add(example, score, scale);
        }
        for (place, (sum, count)) in plain.0.iter().enumerate() {
            prop_assert_eq!(column.sum(place, scale), (f64::from(*sum) / scale, u64::from(*count)));
        }
        prop_assert_eq!(column.mean(9, scale), None);
        let scores = Scores::of_column(column.clone(), scale, 4);
        let wanted: Vec<_> = (0..4).map(|place| column.mean(place, scale).map(|mean| mean as f32)).collect();
        prop_assert_eq!(scores.iter().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn costs_are_exact_in_every_form(
        costs in prop::collection::vec((0..5_usize, prop_oneof![0..9_i128, 1_i128 << 30..1 << 33, -4..4_i128, Just(1_i128 << 70)]), 0..40),
    ) {
        let (mut kept, mut plain) = (Costs::default(), vec![(Usd::ZERO, 0_u16); 5]);
        for (example, pico) in costs {
            kept.add(example, Usd::from_pico(pico));
            plain[example].0 += Usd::from_pico(pico);
            plain[example].1 += 1;
        }
        for (place, (sum, count)) in plain.into_iter().enumerate() {
            prop_assert_eq!(kept.get(place), (count > 0).then(|| sum.as_f64() / f64::from(count)));
        }
    }

    #[test]
    fn answers_come_in_the_order_of_their_examples_and_classes(
        answers in prop::collection::vec((0..9_u32, prop::option::weighted(0.8, 0..400_u32)), 0..60),
    ) {
        let mut kept = Answers::default();
        let mut plain: Vec<(u32, u32)> = Vec::new();
        for (example, class) in answers {
            kept.add(example, class);
            plain.push((example, class.unwrap_or(u32::MAX)));
        }
        plain.sort_unstable();
        let got: Vec<(u32, u32)> =
            kept.sorted().map(|(example, class)| (example as u32, class.unwrap_or(u32::MAX))).collect();
        prop_assert_eq!(got, plain);
    }
}

#[test]
fn a_right_or_wrong_call_takes_a_byte() {
    let mut column = Column::default();
    for place in 0..100 {
        column.add(place, f64::from(u8::from(place % 3 == 0)), fixed_point_scale(3));
    }
    assert!(matches!(&column, Column::Calls(calls) if calls.len() == 100));
    column.add(7, 0.25, fixed_point_scale(3));
    assert!(matches!(column, Column::Sums(..)));
}
