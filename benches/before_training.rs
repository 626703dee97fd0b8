//! Does what is said before any training hold after it? `probe` and `decide` on a suite without a tuned variant, then
//! with the LoRA that was trained on the same rows later.
//!
//! `cargo bench --bench before_training`. On the shipped suite `outages`, and on 16 intents of BANKING77 with recorded
//! answers where the data lie (`CEILING_SHARED`, `../shared` without it).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "it is no part of the product, and prints what it found")]
#![expect(clippy::disallowed_methods, reason = "it reads the data, and runs the program")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

const TARGET: f64 = 0.9;

/// Variants of the banking recordings, as their file names them; the tuned ones last.
const VARIANTS: [&str; 6] = ["prompt", "fewshot5", "prompt+schema", "fewshot5+schema", "tuned", "tuned+schema"];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    for name in ["suites", "providers"] {
        let copied = Command::new("cp").arg("-r").arg(root.join(name)).arg(folder.path()).status().unwrap();
        assert!(copied.success());
    }
    let suite = "suites/outages";
    let text = std::fs::read_to_string(root.join(suite).join("suite.toml")).unwrap();
    let names = text.lines().skip_while(|line| *line != "[[variants]]").filter_map(|line| {
        let name = line.strip_prefix("name = \"")?;
        name.split('"').next()
    });
    let untuned: Vec<&str> = names.filter(|name| !name.starts_with("tuned")).collect();
    ceiling(folder.path(), &["run", suite, "--variants", &untuned.join(","), "-q"]);
    let before = before(folder.path(), suite);
    ceiling(folder.path(), &["run", suite, "-q"]);
    after("outages (14 classes, 698 rows of the pool)", &before, &decided(folder.path()));

    let shared = std::env::var("CEILING_SHARED").map_or_else(|_| root.join("../shared"), PathBuf::from);
    if !shared.join("data/recordings").is_dir() {
        println!("banking77: skipped, there is no {}", shared.join("data/recordings").display());
        return;
    }
    banking(folder.path(), &shared.join("data"));
}

/// 16 intents of BANKING77: 1,969 rows to train on, 208 test rows, answers recorded of a small model.
fn banking(folder: &Path, data: &Path) {
    let suite = folder.join("suites/banking16");
    std::fs::create_dir_all(&suite).unwrap();
    for (from, to) in [("sub16-test.jsonl", "test.jsonl"), ("schema16.json", "schema.json")] {
        std::fs::copy(data.join("banking77").join(from), suite.join(to)).unwrap();
    }
    // What a test row repeats is no training row here; the LoRA had those rows, too.
    let read = |name: &str| std::fs::read_to_string(data.join("banking77").join(name)).unwrap();
    let known: BTreeSet<String> = read("sub16-test.jsonl").lines().map(letters).collect();
    let pool = read("sub16-train.jsonl");
    let rows: Vec<&str> = pool.lines().filter(|row| !known.contains(&letters(row))).collect();
    println!("banking16: {} of {} training rows, the others repeat a test row", rows.len(), pool.lines().count());
    std::fs::write(suite.join("pool.jsonl"), rows.join("\n") + "\n").unwrap();
    std::fs::write(suite.join("v1.md.j2"), "--- user ---\n{{ input }}\n").unwrap();
    std::fs::write(suite.join("suite.toml"), banking_suite()).unwrap();
    let recorded = std::fs::read_to_string(data.join("recordings/banking16-smollm2-135m.jsonl")).unwrap();
    let trials: Vec<Value> = recorded.lines().map(|line| trial(&serde_json::from_str(line).unwrap())).collect();
    let import = |name: &str, variants: &[&str]| {
        let wanted = |trial: &&Value| variants.iter().any(|variant| trial["variant"] == renamed(variant).as_str());
        let lines: String = trials.iter().filter(wanted).map(|trial| format!("{trial}\n")).collect();
        std::fs::write(folder.join(name), lines).unwrap();
        ceiling(folder, &["import", name, "--suite", "suites/banking16", "-q"]);
    };
    import("before.jsonl", &VARIANTS[..4]);
    let before = before(folder, "suites/banking16");
    import("after.jsonl", &VARIANTS);
    after("banking16 (16 of BANKING77's intents, 1,969 rows of the pool)", &before, &decided(folder));
}

/// Letters and digits of a row's input, in lower case.
fn letters(row: &str) -> String {
    let row: Value = serde_json::from_str(row).unwrap();
    row["input"].to_string().chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn renamed(variant: &str) -> String {
    variant.replace('+', "-")
}

fn trial(row: &Value) -> Value {
    json!({
        "example": row["example_id"], "variant": renamed(row["variant"].as_str().unwrap()),
        "expected": row["expected"], "input": row["request"]["messages"].as_array().unwrap().last().unwrap()["content"],
        "answer": row["response"]["choices"][0]["message"]["content"],
    })
}

fn banking_suite() -> String {
    let mut text = format!(
        "[suite]\nname = \"banking16\"\ntask = \"classification\"\nincumbent = \"prompt-schema\"\n[data]\n\
         examples = \"test.jsonl\"\npool = \"pool.jsonl\"\n[output]\nschema = \"schema.json\"\n\
         [score.scorers.label]\nkind = \"exact\"\nat = \"/label\"\n[prompts]\nv1 = \"v1.md.j2\"\n\
         [targets]\naccuracy = {TARGET}\n"
    );
    for variant in VARIANTS {
        let name = renamed(variant);
        let tuned =
            if name.starts_with("tuned") { "tuned = { method = \"lora\", training_examples = 1969 }\n" } else { "" };
        let _ = write!(
            text,
            "[[variants]]\nname = \"{name}\"\nmodel = \"smollm2/135m-instruct\"\nprompt = \"v1\"\n{tuned}"
        );
    }
    text
}

/// What the verdict says of training before anything was tuned.
fn before(folder: &Path, suite: &str) -> Value {
    ceiling(folder, &["probe", suite, "-q"]);
    decided(folder)
}

fn decided(folder: &Path) -> Value {
    serde_json::from_str(&ceiling(folder, &["decide", "--json"])).unwrap()
}

fn ceiling(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ceiling")).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What was said, and what the tuned variant then showed.
fn after(name: &str, before: &Value, after: &Value) {
    let percent = |estimate: &Value| {
        let share = |key: &str| estimate[key].as_f64().unwrap() * 100.0;
        format!("{:.1}% [{:.1}-{:.1}]", share("point"), share("low"), share("high"))
    };
    let said = &before["verdict"]["trained_baseline"];
    let tuned = &after["verdict"]["tuned"];
    let against = &after["verdict"]["trained_baseline"]["against_tuned"];
    println!("{name}");
    println!("  before: verdict {} ({})", before["verdict"]["kind"], before["verdict"]["rule"]);
    println!("  before: a trained baseline reaches {}, a lower bound", percent(&said["accuracy"]));
    println!(
        "  before: against the best prompted variant, {}: {}",
        said["against_prompted"]["variant"],
        percent(&said["against_prompted"]["difference"])
    );
    println!("  before: a tuned model that reaches {:.0}%: speaks {}", TARGET * 100.0, said["leaning"]);
    println!("  after:  {} reaches {}", tuned["variant"], percent(&tuned["accuracy"]));
    println!("  after:  baseline minus tuned: {}, baseline is {}", percent(&against["difference"]), against["verdict"]);
    let held = against["verdict"] != "better";
    println!("  the lower bound {}", if held { "held" } else { "did not hold: the tuned model is below it" });
    let (low, high) = (tuned["accuracy"]["low"].as_f64().unwrap(), tuned["accuracy"]["high"].as_f64().unwrap());
    let outcome = match said["leaning"].as_str().unwrap() {
        "for" if low >= TARGET => "confirmed: the tuned model reaches the target",
        "for" if high < TARGET => "refuted: the tuned model misses the target",
        "against" if high < TARGET => "confirmed: the tuned model misses the target",
        "against" if low >= TARGET => "refuted: the tuned model reaches the target all the same",
        "neither" if low >= TARGET => "left open; the tuned model reaches the target",
        "neither" if high < TARGET => "left open; the tuned model misses the target",
        _ => "not settled by this many test examples",
    };
    println!("  what it spoke for: {outcome}\n");
}
