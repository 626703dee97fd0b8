//! Other tools' results as runs: the figures are those of their files, whatever the command.

use serde_json::{Value, json};

use crate::schemas::fits;
use crate::support::Project;
use crate::support::project::schema_helps;

/// A project with the files that we wrote in the shape of each tool's.
fn project() -> Project {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import");
    let project = Project::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        project.write(path.file_name().unwrap().to_str().unwrap(), &std::fs::read(&path).unwrap());
    }
    project
}

#[track_caller]
pub(crate) fn import(project: &Project, arguments: &[&str]) -> Value {
    let said = project.run(["import"].iter().chain(arguments).chain(&["--json"])).exits(0).json();
    fits(&said, "import");
    said
}

#[track_caller]
pub(crate) fn report(project: &Project, run: &str) -> Value {
    let report = project.run(["report", run, "--format", "json"]).exits(0).json();
    fits(&report, "run");
    report
}

#[track_caller]
pub(crate) fn variant<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["variants"].as_array().unwrap();
    all.iter().find(|row| row["variant"] == name).unwrap_or_else(|| panic!("no {name} in {all:#?}"))
}

/// What a file's own rows say of one variant.
#[derive(Debug, Default)]
struct Source {
    scores: Vec<f64>,
    times_ms: Vec<f64>,
    costs: Vec<f64>,
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| *number > 0.0)
}

fn of_promptfoo(text: &str, label: &str) -> Source {
    let document: Value = serde_json::from_str(text).unwrap();
    let rows = document["results"]["results"].as_array().unwrap().iter();
    let mut source = Source::default();
    for row in rows.filter(|row| row["provider"]["label"] == label && row["failureReason"] != 2) {
        source.scores.push(if row["success"] == true { 1.0 } else { 0.0 });
        source.times_ms.extend(number(&row["latencyMs"]));
        source.costs.extend(number(&row["cost"]));
    }
    source
}

fn of_inspect(text: &str) -> Source {
    let document: Value = serde_json::from_str(&text.replace("NaN", "null")).unwrap();
    let mut source = Source::default();
    for sample in document["samples"].as_array().unwrap().iter().filter(|sample| sample["error"].is_null()) {
        source.scores.extend(match sample["scores"]["match"]["value"].as_str() {
            Some("C") => Some(1.0),
            Some("I") => Some(0.0),
            _ => None,
        });
        source.times_ms.extend(number(&sample["output"]["time"]).map(|seconds| seconds * 1000.0));
        source.costs.extend(number(&sample["model_usage"]["hosted/small-2026"]["total_cost"]));
    }
    source
}

fn of_lines(text: &str, wanted: impl Fn(&Value) -> bool, fields: [&str; 3]) -> Source {
    let mut source = Source::default();
    for line in text.lines() {
        let row: Value = serde_json::from_str(&line.replace("NaN", "null")).unwrap();
        if wanted(&row) && row["error"].is_null() {
            source.scores.extend(row[fields[0]].as_f64());
            source.times_ms.extend(number(&row[fields[1]]));
            source.costs.extend(number(&row[fields[2]]));
        }
    }
    source
}

/// The figures of a variant against those of its source; `per_example` is what repeats make of n.
#[track_caller]
fn agrees(project: &Project, run: &str, name: &str, source: &Source) {
    let report = report(project, run);
    let row = variant(&report, name);
    let csv = project.run(["report", run, "--format", "csv", "--variant", name]).exits(0);
    let mut reader = csv::Reader::from_reader(csv.stdout().as_bytes());
    let headers = reader.headers().unwrap().clone();
    let column = |record: &csv::StringRecord, name: &str| {
        let place = headers.iter().position(|header| header == name).unwrap();
        record[place].parse::<f64>().ok()
    };
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let sorted = |mut numbers: Vec<f64>| {
        numbers.sort_by(f64::total_cmp);
        numbers
    };
    let answered = |record: &&csv::StringRecord| column(record, "cost_usd").is_some() || source.costs.is_empty();
    let all = |name: &str| sorted(records.iter().filter(answered).filter_map(|record| column(record, name)).collect());
    assert_eq!(all("score"), sorted(source.scores.clone()), "{name}: scores");
    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near(&all("total_ms"), &sorted(source.times_ms.clone())), "{name}: {:?}", all("total_ms"));
    assert!(near(&all("cost_usd"), &sorted(source.costs.clone())), "{name}: {:?}", all("cost_usd"));
    if !source.times_ms.is_empty() {
        let times = sorted(source.times_ms.clone());
        let p50 = row["total_ms"]["p50"]["point"].as_f64().unwrap();
        let censored = (row["outcomes"]["failed"].as_u64().unwrap() as usize).min(1);
        let middle = (times.len() - 1) / 2;
        assert!(times[middle] <= p50 && p50 <= times[(times.len() / 2) + censored], "{name}: p50 {p50} of {times:?}");
    }
    let cost = &row["cost_usd_per_request"];
    match source.costs.is_empty() {
        true => assert!(cost.is_null() || cost["point"].is_null(), "{cost}"),
        false => {
            let mean = source.costs.iter().sum::<f64>() / source.costs.len() as f64;
            let shown = cost["point"].as_f64().unwrap();
            assert!((shown / mean - 1.0).abs() < 0.05, "{name}: {shown} for {mean}");
        }
    }
    let share = source.scores.iter().sum::<f64>() / source.scores.len() as f64;
    let shown = row["accuracy"]["point"].as_f64().unwrap();
    assert!((shown - share).abs() < 0.03, "{name}: {shown} for {share}");
}

#[test]
fn the_figures_are_those_of_the_file() {
    let project = project();
    let said = import(&project, &["promptfoo.json"]);
    assert_eq!([&said["format"], &said["trials"], &said["examples"]], [&json!("promptfoo"), &json!(24), &json!(12)]);
    assert_eq!(said["source"], "imported from promptfoo 0.120.3 results, file promptfoo.json");
    assert_eq!([&said["failed"], &said["missing"]], [1, 1]);
    let text = project.read("promptfoo.json");
    for name in ["small", "large"] {
        agrees(&project, "last", name, &of_promptfoo(&text, name));
    }
    let lines = import(&project, &["promptfoo.jsonl", "-o", "lines"]);
    assert_eq!((&lines["format"], &lines["trials"]), (&json!("promptfoo-lines"), &json!(24)));
    agrees(&project, "last", "large", &of_promptfoo(&text, "large"));

    let said = import(&project, &["inspect.json"]);
    assert_eq!((&said["repeats"], &said["variants"][0]["variant"]), (&json!(2), &json!("hosted-small-2026")));
    assert_eq!(said["left_out"][0]["what"], "the score `match` where it has no number");
    agrees(&project, "last", "hosted-small-2026", &of_inspect(&project.read("inspect.json")));

    let samples = "samples_sort_2026-10-03T10-00-00.jsonl";
    let said = import(&project, &[samples, "--variant", "base"]);
    assert_eq!((&said["trials"], &said["primary"]), (&json!(12), &json!("exact_match")));
    let filtered = |filter: &'static str| move |row: &Value| row["filter"] == filter;
    let of = |filter| of_lines(&project.read(samples), filtered(filter), ["exact_match", "none", "none"]);
    agrees(&project, "last", "base", &of("strict-match"));
    import(&project, &[samples, "--variant", "base", "--filter", "flexible-extract", "-o", "flexible"]);
    agrees(&project, "last", "base", &of("flexible-extract"));

    import(&project, &["nemo-results.jsonl"]);
    let nemo = of_lines(&project.read("nemo-results.jsonl"), |_| true, ["reward", "latency_ms", "none"]);
    agrees(&project, "last", "nemo-results", &nemo);

    import(&project, &["plain.jsonl"]);
    for name in ["small", "large"] {
        let plain =
            of_lines(&project.read("plain.jsonl"), |row| row["variant"] == name, ["score", "total_ms", "cost_usd"]);
        agrees(&project, "last", name, &plain);
    }
}

#[test]
fn an_answer_of_choices_is_the_likeliest() {
    let project = project();
    import(&project, &["samples_choice.jsonl", "--variant", "base"]);
    let shown = project.run(["show", "last", "0", "--json"]).exits(0).json();
    assert_eq!(shown["trials"][0]["answer"], "billing");
}

#[test]
fn every_command_takes_an_imported_run() {
    let project = project();
    for file in ["promptfoo.json", "inspect.json", "nemo-results.jsonl", "plain.jsonl"] {
        let said = import(&project, &[file]);
        let (run, folder) = (said["run"].as_str().unwrap(), said["folder"].as_str().unwrap());
        let source = said["source"].as_str().unwrap();
        fits(&project.run(["runs", "--json"]).exits(0).json(), "runs");
        project.run(["check", folder]).exits(0).says("0 errors, 0 warnings");
        project.run(["report", run]).exits(0).says("IMPORTED answers").says(source);
        project.run(["report", run, "--format", "md"]).exits(0).says("imported answers");
        project.run(["report", run, "--format", "html", "-o", "page.html"]).exits(0);
        assert!(project.read("page.html").contains("IMPORTED answers") && project.read("page.html").contains(source));
        let decided = project.run(["decide", run, "--json"]).exits(0).json();
        fits(&decided, "decide");
        assert_eq!(decided["provenance"], "imported");
        assert!(decided["verdict"]["notes"].as_array().unwrap().contains(&json!("imported-answers")), "{decided}");
        project.run(["decide", run]).exits(0).says(source);
        let example = project.read(&format!("{folder}/examples.jsonl"));
        let first: Value = serde_json::from_str(example.lines().next().unwrap()).unwrap();
        let shown = project.run(["show", run, first["id"].as_str().unwrap(), "--json"]).exits(0).json();
        fits(&shown, "show");
        assert_eq!(shown["trials"][0]["provenance"], "imported");
        // Nobody can be asked for more, and what is imported is no recording.
        project.run(["run", folder]).exits(2).says("cannot be asked");
        project.run(["plan", folder]).exits(2).says("cannot be asked");
        project.run(["record", run, "-o", "r.jsonl"]).exits(2).says("was imported");
    }
    for run in ["sort-messages-1", "plain-4"] {
        let compared = project.run(["compare", run, "small", "large", "--json"]).exits(0).json();
        fits(&compared, "compare");
        assert_eq!(compared["sides"][0]["provenance"], "imported");
        let flips = project.run(["flips", run, "small", "large", "--json"]).exits(0).json();
        fits(&flips, "flips");
        assert_eq!([&flips["fixed"], &flips["broken"], &flips["common"]], [2, 0, 11]);
    }
}

#[test]
fn runs_of_two_tools_are_paired_by_id_or_by_input() {
    let project = project();
    import(&project, &["promptfoo.json"]);
    import(&project, &["inspect.json"]);
    let compare = |a: &str, b: &str| project.run(["compare", a, b, "--json"]).exits(0).json();
    let by_id = compare("sort-messages-1:small", "sort_messages-2:hosted-small-2026");
    fits(&by_id, "compare");
    let text = project.run(["compare", "sort-messages-1:small", "sort_messages-2:hosted-small-2026"]).exits(0);
    let text = text.says("12 examples; none is left out").says("grade differently");
    text.says("imported from promptfoo 0.120.3 results");
    // Another tool's ids are its own: the inputs tell.
    import(&project, &["nemo-results.jsonl", "--ids", "input", "-o", "nemo"]);
    import(&project, &["promptfoo.json", "--ids", "input", "-o", "again"]);
    project.run(["compare", "sort-messages-4:small", "nemo-results-3:nemo-results"]).exits(0).says("12 examples");
    project.run(["compare", "sort-messages-1:small", "nemo-results-3:nemo-results"]).exits(2).says("in common");
    // Or the places of what both have.
    let samples = "samples_sort_2026-10-03T10-00-00.jsonl";
    let places = ["--id", "/doc/id", "--input", "/doc/text", "--expected", "/doc/label"];
    let said = import(&project, &[&[samples, "--variant", "base"], &places[..]].concat());
    let other = format!("{}:base", said["run"].as_str().unwrap());
    project.run(["compare", "sort-messages-1:small", &other]).exits(0).says("12 examples; none is left out");
}

#[test]
fn times_are_judged_only_where_they_are_declared_comparable() {
    let project = project();
    let unjudged = |run: &str| {
        let notes = &report(&project, run)["verdict"]["notes"];
        notes.as_array().unwrap().contains(&json!("latency-not-judged"))
    };
    let targets = "\n[targets]\nttft_p95_ms = 1000\n";
    for (latency, folder) in [("indicative", "a"), ("comparable", "b")] {
        import(&project, &["plain.jsonl", "--latency", latency, "-o", folder]);
        let file = format!("{folder}/suite.toml");
        project.write(&file, (project.read(&file) + targets).as_bytes());
    }
    assert!(unjudged("plain-1") && !unjudged("plain-2"));
    assert_eq!(report(&project, "plain-1")["verdict"]["triggers"]["t3"]["state"], "unknown");
}

#[test]
fn a_suite_of_ones_own_grades_anew() {
    let project = project().suite("tiny");
    let rows: String = (1..=12)
        .map(|n| {
            let answer = if n % 2 == 0 { "{\"label\": \"red\"}" } else { "no JSON" };
            json!({"variant": "theirs", "example": format!("e{n:02}"), "answer": answer, "score": 1}).to_string() + "\n"
        })
        .collect();
    let other = json!({"variant": "theirs", "example": "unknown", "answer": "x", "score": 1}).to_string();
    project.write("theirs.jsonl", (rows + &other).as_bytes());
    project.run(["import", "theirs.jsonl", "--suite", "suites/tiny"]).exits(2).says("no variant `theirs`");
    let said = import(&project, &["theirs.jsonl", "--suite", "suites/tiny", "--variant", "theirs=plain"]);
    assert_eq!([&said["trials"], &said["scores"]], [&json!(12), &json!("anew")]);
    let left_out = json!({"what": "rows of examples that the suite does not have", "count": 1, "first": 13});
    assert_eq!(said["left_out"][0], left_out);
    let report = report(&project, "last");
    // Of the twelve colours every third is red; an answer that is no JSON is wrong.
    assert_eq!(variant(&report, "plain")["n"], 12);
    assert!(variant(&report, "plain")["accuracy"]["point"].as_f64().unwrap() < 0.5);
    assert_eq!(variant(&report, "plain")["schema_validity_strict"]["point"], 0.5);
}

#[test]
fn hostile_text_stays_text() {
    let project = project();
    let evil = "<script>alert(1)</script>\u{1b}[31m=1+1\"]\n[targets]\naccuracy = 0.1\u{202e}";
    let row = |n: u32| {
        json!({"variant": evil, "model": evil, "example": format!("{evil}{n}"), "input": evil, "expected": evil,
               "answer": evil, "scores": {evil: 1}, "tags": {evil: evil}, "source": evil})
        .to_string()
            + "\n"
    };
    project.write("evil\u{1b}.jsonl", (row(1) + &row(2)).as_bytes());
    let said = project.run(["import", "evil\u{1b}.jsonl", "-o", "evil"]).exits(0);
    assert!(!said.said().contains(['\u{1b}', '\u{202e}']), "{}", said.said());
    project.run(["check", "evil"]).exits(0);
    let file: toml::Table = toml::from_str(&project.read("evil/suite.toml")).unwrap();
    assert!(file.get("targets").is_none());
    for format in ["text", "md", "html"] {
        let page = project.run(["report", "last", "--format", format]).exits(0);
        assert!(!page.stdout().contains(['\u{1b}', '\u{202e}']), "{format}");
        assert!(format != "html" || !page.stdout().contains("<script>alert"), "{format}");
    }
    project.run(["show", "last", &format!("{evil}1")]).exits(0);
    project.run(["decide"]).exits(0);
}

#[test]
fn faults_have_their_place_and_may_be_left_out() {
    let project = project();
    let good = project.read("nemo-results.jsonl");
    project.write("bad.jsonl", format!("{good}{{\"problem_idx\": 99}}\n{{not json\n").as_bytes());
    let said = project.run(["import", "bad.jsonl"]).exits(2);
    let said = said.says("bad.jsonl:25").says("`reward` is missing").says("bad.jsonl:26").says("--skip-bad");
    assert!(!said.said().contains("run bad-1"));
    project.run(["runs"]).exits(2);
    let said = import(&project, &["bad.jsonl", "--skip-bad"]);
    let left_out: Vec<(&Value, &Value)> =
        said["left_out"].as_array().unwrap().iter().map(|row| (&row["count"], &row["first"])).collect();
    assert!(left_out.contains(&(&json!(1), &json!(25))) && left_out.contains(&(&json!(1), &json!(26))), "{said}");
    // A whole document has no lines to leave out.
    let document = project.read("inspect.json");
    project.write("cut.json", &document.as_bytes()[..document.len() / 2]);
    project.run(["import", "cut.json", "--skip-bad"]).exits(2).says("cut.json:").says("not JSON");
    project.write("twice.jsonl", (good.lines().next().unwrap().to_owned() + "\n").repeat(2).as_bytes());
    project.run(["import", "twice.jsonl"]).exits(2).says("there twice").says("twice.jsonl:2");
    project.write("what.txt", b"id,answer\n1,2\n");
    project.run(["import", "what.txt"]).exits(2).says("--format");
    project.write("log.eval", b"PK\x03\x04....");
    project.run(["import", "log.eval"]).exits(2).says("inspect log convert");
    project.write("rubric.jsonl", b"{\"problem_idx\": 1, \"reward\": 7, \"model_response\": \"a\"}\n");
    project.run(["import", "rubric.jsonl", "--score", "reward"]).exits(2).says("reward");
    project.run(["import", "nothing.json"]).exits(2).says("cannot read");
}

#[test]
fn a_repeat_and_times_that_cannot_be_are_no_panic() {
    let project = project();
    let row = |repeat: u32, ms: &str| {
        format!(
            r#"{{"example": "a", "input": "x", "expected": "y", "variant": "v", "answer": "y", "score": 1, "repeat": {repeat}, "ttft_ms": {ms}, "total_ms": {ms}}}"#
        )
    };
    project.write("far.jsonl", row(u32::MAX, "1").as_bytes());
    project.run(["import", "far.jsonl", "--format", "plain"]).exits(2).says("repeat").says("far.jsonl:1");
    let rows = [row(0, "1e-300"), row(1, "1e308"), row(2, "250")].join("\n");
    project.write("slow.jsonl", rows.as_bytes());
    project.run(["import", "slow.jsonl", "--format", "plain"]).exits(0);
    for format in ["html", "md", "text"] {
        project.run(["report", "last", "--format", format]).exits(0);
    }
}

#[test]
fn a_file_is_imported_once() {
    let project = project();
    import(&project, &["plain.jsonl"]);
    project.run(["import", "plain.jsonl"]).exits(2).says("as run `plain-1`").says("--again");
    project.run(["import", "plain.jsonl", "--again"]).exits(2).says("is there already");
    import(&project, &["plain.jsonl", "--again", "-o", "other"]);
    let runs = project.run(["runs", "--json"]).exits(0).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
}

#[test]
fn tests_that_are_repeated_are_no_further_examples() {
    let project = project();
    let row = |test: u32, passed: bool| {
        json!({"promptIdx": 0, "testIdx": test, "provider": {"id": "p"}, "prompt": {"raw": "q"}, "failureReason": 0,
               "vars": {"question": format!("q{}", test % 3)}, "response": {"output": "a"}, "success": passed,
               "score": 1, "latencyMs": 5, "testCase": {}})
        .to_string()
            + "\n"
    };
    let rows: String = (0..6).map(|test| row(test, test % 2 == 0)).collect();
    project.write("repeated.jsonl", rows.as_bytes());
    let said = import(&project, &["repeated.jsonl"]);
    assert_eq!([&said["examples"], &said["repeats"], &said["trials"]], [3, 2, 6]);
}

#[test]
fn lines_come_back_with_equal_figures() {
    let project = project().suite("tiny").recorded(|request, _| schema_helps(request));
    let ran = project.run(["run", "suites/tiny", "--json", "-q"]).exits(0).json();
    project.run(["report", "tiny-1", "-o", "trials.jsonl"]).exits(0);
    let said = import(&project, &["trials.jsonl"]);
    assert!(said["source"].as_str().unwrap().contains("ceiling run tiny-1 (RECORDED answers)"), "{said}");
    let back = report(&project, "last");
    for name in ["plain", "schema"] {
        let (before, after) = (variant(&ran, name), variant(&back, name));
        for figure in ["n", "accuracy", "schema_validity_strict", "outcomes", "missing", "total_ms", "ttft_ms", "usage"]
        {
            assert_eq!(before[figure], after[figure], "{name}: {figure}");
        }
    }
    // And once more, from what was imported.
    project.run(["report", "last", "-o", "again.jsonl"]).exits(0);
    let stripped = |name: &str| {
        let without = |line: &str| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            line.as_object_mut().unwrap().retain(|key, _| !matches!(key.as_str(), "source" | "scores"));
            line
        };
        project.read(name).lines().map(without).collect::<Vec<_>>()
    };
    assert_eq!(stripped("trials.jsonl"), stripped("again.jsonl"));
}

#[test]
fn nemo_s_lines_come_back_too() {
    let project = project();
    import(&project, &["nemo-results.jsonl"]);
    project.run(["report", "last", "--format", "nemo", "-o", "back.jsonl"]).exits(0);
    let of = |file: &str| of_lines(&project.read(file), |_| true, ["reward", "latency_ms", "none"]);
    let (before, after) = (of("nemo-results.jsonl"), of("back.jsonl"));
    let sum = |numbers: &[f64]| numbers.iter().sum::<f64>();
    assert_eq!((before.scores.len(), sum(&before.scores)), (after.scores.len(), sum(&after.scores)));
    assert_eq!(sum(&before.times_ms), sum(&after.times_ms));
    import(&project, &["back.jsonl", "--variant", "nemo-results"]);
    agrees(&project, "last", "nemo-results", &before);
    import(&project, &["plain.jsonl"]);
    project.run(["report", "plain-3", "--format", "nemo"]).exits(2).says("--variant");
    project.run(["report", "plain-3", "--format", "nemo", "--variant", "larg"]).exits(2).says("small, large");
    let large = project.run(["report", "plain-3", "--format", "nemo", "--variant", "large"]).exits(0);
    assert_eq!(large.stdout().lines().count(), 11);
}
