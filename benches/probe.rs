//! A trained baseline on a large pool: accuracy and time, on banking77 (9,079 rows to train on, 77 classes).
//!
//! `cargo bench --bench probe`. The data lie where `CEILING_SHARED` says (`../shared` without it), under
//! `data/banking77`; without them nothing is measured. Pool rows that a test row repeats are left out.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "it is no part of the product, and prints what it found")]
#![expect(clippy::disallowed_methods, reason = "it reads the data, and the clock")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ceiling::probe::{Embedded, Material, probe};
use ceiling::suite::Example;
use ceiling::suite::examples::ExampleSource;
use ceiling::suite::load::{LoadOptions, load};

const SUITE: &str = r#"[suite]
name = "banking77"
task = "classification"
[data]
examples = "test.jsonl"
pool = "train.jsonl"
[output]
schema = "schema.json"
[score.scorers.label]
kind = "exact"
at = "/label"
[prompts]
v1 = "v1.md.j2"
[[variants]]
name = "plain"
model = "smollm2/135m-instruct"
prompt = "v1"
"#;

fn rows(source: &ExampleSource) -> Vec<Example> {
    source.read().map(|row| row.unwrap().example).collect()
}

fn letters(row: &Example) -> String {
    row.input.to_string().chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn main() {
    let shared = std::env::var("CEILING_SHARED").map_or_else(|_| PathBuf::from("../shared"), PathBuf::from);
    let data = shared.join("data/banking77");
    if !data.is_dir() {
        println!("skipped: there is no {}", data.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["train.jsonl", "test.jsonl", "schema.json"] {
        std::fs::copy(data.join(name), folder.path().join(name)).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("suite.toml", SUITE);
    write("v1.md.j2", "--- user ---\n{{ input }}\n");
    measure(folder.path());
}

fn measure(folder: &Path) {
    let providers = ceiling::provider::load::load(&[]).unwrap();
    let suite = load(folder, &providers, &LoadOptions::default()).unwrap().suite;
    let test = rows(&suite.examples);
    let known: BTreeSet<String> = test.iter().map(letters).collect();
    let mut pool = rows(suite.pool.as_ref().unwrap());
    pool.retain(|row| !known.contains(&letters(row)));
    let material = Material { suite: &suite, pool, test };
    let absent = Embedded::Absent { endpoint: None, why: "not measured here".to_owned() };
    let began = Instant::now();
    let mut last = String::new();
    let mut step = |step: ceiling::probe::Step| {
        if step.what != last {
            println!("{:6.1} s  {}", began.elapsed().as_secs_f64(), step.what);
            last = step.what;
        }
    };
    let found = probe(&material, &absent, None, &mut step).unwrap();
    println!("{:6.1} s  all", began.elapsed().as_secs_f64());
    let words = &found.baselines[0];
    let percent = |estimate: Option<ceiling::stats::Estimate>| {
        let known = estimate.unwrap();
        format!("{:.2}% [{:.2}-{:.2}]", known.point.unwrap() * 100.0, known.low * 100.0, known.high * 100.0)
    };
    println!("{} rows, {} classes, {} test examples", found.pool.rows, found.pool.classes, found.test.rows);
    println!("accuracy {}, pool held out {}", percent(words.accuracy), percent(words.cross_validated));
    let curve = words.curve.as_ref().unwrap();
    for point in &curve.points {
        println!("{:8.0} rows: {:.2}%", point.examples, (1.0 - point.error) * 100.0);
    }
    println!("projection {:?}", curve.projection);
    println!("more examples help: {:?}: {}", curve.more_examples_help, curve.because);
}
