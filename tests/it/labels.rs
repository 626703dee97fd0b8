//! Labels are reviewed, audited and corrected.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::schemas::fits;
use crate::support::Project;

const TOPICS: [(&str, &[&str]); 4] = [
    ("refund", &["refund", "money back", "returned payment", "reimburse"]),
    ("card", &["card", "chip", "debit plastic", "contactless"]),
    ("login", &["password", "login", "sign in", "locked out"]),
    ("rate", &["exchange rate", "currency", "conversion", "euros to dollars"]),
];

/// Rows of which these are labelled wrong.
const PLANTED: [(&str, &str); 5] =
    [("t007", "card"), ("t020", "login"), ("t033", "refund"), ("p011", "refund"), ("p054", "card")];

const SUITE: &str = r#"# kept as it is
[suite]
name = "topics"
task = "classification"

[data]   # here
examples = "test.jsonl"
pool = "pool.jsonl"

[output]
schema = "schema.json"

[score]
primary = "topic"
[score.scorers.topic]
kind = "exact"
at = "/topic"

[prompts]
v1 = "v1.md"

[[variants]]
name = "plain"
model = "toy/small"
prompt = "v1"

[targets]
accuracy = 0.9
"#;

/// A text about a topic, unlike the others.
fn text(place: usize) -> (&'static str, String) {
    let (topic, words) = TOPICS[place % 4];
    let fillers =
        ["morning", "window", "garden", "paper", "river", "table", "cloud", "winter", "bridge", "lamp", "stone"];
    let filler = |n: usize| fillers[(place * 7 + n * 5 + place / 11) % fillers.len()];
    let word = words[(place / 4) % words.len()];
    let text =
        format!("{} {} about my {word} number {place} {} {} please {word}", filler(0), filler(1), filler(2), filler(3));
    (topic, text)
}

fn rows(prefix: &str, places: std::ops::Range<usize>) -> String {
    let row = |place: usize| {
        let id = format!("{prefix}{:03}", place % 100);
        let (topic, text) = text(place);
        let wrong = PLANTED.iter().find(|(planted, _)| *planted == id).map(|(_, label)| *label);
        assert_ne!(wrong, Some(topic), "{id}");
        json!({"id": id, "input": text, "expected": {"topic": wrong.unwrap_or(topic)}}).to_string() + "\n"
    };
    places.map(row).collect()
}

fn suite() -> Project {
    let schema = json!({"type": "object", "required": ["topic"], "additionalProperties": false,
        "properties": {"topic": {"enum": TOPICS.map(|(topic, _)| topic)}}});
    Project::new()
        .file("providers/toy.toml", "kind = \"replay\"\n[models.small]\n")
        .file("topics/suite.toml", SUITE)
        .file("topics/schema.json", &schema.to_string())
        .file("topics/v1.md", "--- user ---\n{{ input }}\n")
        .file("topics/test.jsonl", &rows("t", 100..160))
        .file("topics/pool.jsonl", &rows("p", 0..100))
}

/// The lines of a file, parsed.
fn lines(project: &Project, path: &str) -> Vec<Value> {
    project.read(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same file with a verdict and a corrected label in each row that `say` has something for.
fn reviewed(project: &Project, path: &str, say: impl Fn(&Value) -> Option<(&'static str, String)>) {
    let mut all = lines(project, path);
    for row in all.iter_mut().skip(1) {
        if let Some((verdict, corrected)) = say(row) {
            (row["verdict"], row["corrected"]) = (json!(verdict), json!(corrected));
        }
    }
    project.write(path, all.iter().map(|row| format!("{row}\n")).collect::<String>().as_bytes());
}

#[test]
fn planted_label_errors_are_ranked_first() {
    let project = suite();
    let review = project.run(["labels", "topics", "--json", "-o", "review.jsonl", "-q"]).exits(0).json();
    fits(&review, "labels");
    // One of the five is not confident enough for its class; nothing else stands among the other four.
    let list = review["list"].as_array().unwrap();
    let first: BTreeSet<&str> = list.iter().take(PLANTED.len() - 1).map(|one| one["id"].as_str().unwrap()).collect();
    assert!(first.is_subset(&PLANTED.map(|(id, _)| id).into()), "{review:#}");
    let sure = list.iter().filter(|one| one["suspicion"].as_f64().unwrap() > 0.9).count();
    assert_eq!(sure, first.len(), "{review:#}");
    let confident = &review["confident"]["found"];
    assert!(confident["estimated_error_rate"].as_f64().unwrap() > 0.01, "{confident}");
    assert_eq!(review["against"]["found"], Value::Null);
    assert_eq!(review["ceiling"]["state"], "unknown");
    let list = lines(&project, "review.jsonl");
    assert_eq!((&list[0]["family"], &list[0]["drawn"]), (&json!("ceiling/label-review"), &json!("suspicion")));
    assert_eq!(list.len() as u64 - 1, review["suspicious"].as_u64().unwrap());
    assert_eq!((&list[1]["verdict"], &list[1]["corrected"]), (&json!(""), &json!("")));
    // The same again, byte for byte; and a review is not written over unasked.
    let before = project.read("review.jsonl");
    project.run(["labels", "topics", "-o", "review.jsonl"]).exits(2).says("--force");
    project.run(["labels", "topics", "-o", "review.jsonl", "--force", "-q"]).exits(0);
    assert_eq!(project.read("review.jsonl"), before);
    let few = project.run(["labels", "topics", "--most", "2", "--json", "-q"]).exits(0).json();
    assert_eq!(few["list"].as_array().unwrap().len(), 2);
}

#[test]
fn planted_duplicates_of_another_label_are_found() {
    let project = suite();
    let (topic, same) = text(104);
    assert_eq!(topic, "refund");
    let near = same.replace("please", "pleases");
    let more: String = [("p200", same.to_uppercase(), "card"), ("p201", near, "login")]
        .map(|(id, input, topic)| json!({"id": id, "input": input, "expected": {"topic": topic}}).to_string() + "\n")
        .concat();
    let pool = project.read("topics/pool.jsonl") + &more;
    project.write("topics/pool.jsonl", pool.as_bytes());
    let review = project.run(["labels", "topics", "--json", "-q"]).exits(0).json();
    let conflicts = &review["conflicts"];
    assert_eq!((&conflicts["duplicates"], conflicts["near_duplicates"].as_u64() >= Some(1)), (&json!(1), true));
    let places: Vec<String> = conflicts["listed"][0]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{}:{} {}", row["file"].as_str().unwrap(), row["line"], row["id"].as_str().unwrap()))
        .collect();
    assert_eq!(places, ["test.jsonl:5 t004", "pool.jsonl:101 p200"]);
    let text = project.run(["labels", "topics", "-q"]).exits(0);
    assert!(text.stdout().contains("test.jsonl:5 (t004)"), "{}", text.stdout());
}

#[test]
fn a_review_goes_round_and_corrects_copies() {
    let project = suite();
    project.run(["labels", "topics", "-o", "review.jsonl", "-q"]).exits(0);
    reviewed(&project, "review.jsonl", |row| {
        let planted = PLANTED.iter().any(|(id, _)| row["id"] == *id);
        planted.then(|| ("wrong", row["suggested"].as_str().unwrap().to_owned()))
    });
    let apply = ["labels", "topics", "--apply", "review.jsonl"];
    let applied = project.run(apply.iter().chain(&["--json"])).exits(0).json();
    fits(&applied, "labels-applied");
    let corrections = applied["corrections"].as_array().unwrap();
    assert!(corrections.len() >= PLANTED.len() - 1 && applied["wrong"] == corrections.len(), "{applied:#}");
    assert!(applied["audit"]["why_not"].as_str().unwrap().contains("suspicious"));
    project.run(apply.iter().chain(&["--write"])).exits(2).says("no audit");
    project.run(apply.iter().chain(&["--write", "--write-corrections", "early"])).exits(2).says("no audit");
    assert!(!project.path("early").exists(), "nothing is written of what is refused");
    let before = [project.read("topics/test.jsonl"), project.read("topics/pool.jsonl")];
    project.run(apply.iter().chain(&["--write-corrections", "topics"])).exits(2).says("the file itself");
    project.run(apply.iter().chain(&["--write-corrections", "mended"])).exits(0);
    assert_eq!([project.read("topics/test.jsonl"), project.read("topics/pool.jsonl")], before);
    for (name, before) in ["test", "pool"].iter().zip(&before) {
        let after = project.read(&format!("mended/{name}.jsonl"));
        let changed = before.lines().zip(after.lines()).filter(|(old, new)| old != new).count();
        assert_eq!(changed, corrections.iter().filter(|one| one["split"] == *name).count(), "{name}");
    }
    // With the labels mended nothing confidently looks like another class any more.
    for name in ["test", "pool"] {
        project.write(&format!("topics/{name}.jsonl"), project.read(&format!("mended/{name}.jsonl")).as_bytes());
    }
    let again = project.run(["labels", "topics", "--json", "-q"]).exits(0).json();
    assert!(!again["list"].to_string().contains("t007"), "{again:#}");
    project.run(apply).exits(2).says("labels/unknown-row").says("now");
}

#[test]
fn an_audit_is_drawn_checked_and_written_into_the_suite() {
    let project = suite();
    let drawn = ["labels", "topics", "--random", "40", "-o", "audit.jsonl"];
    let said = project.run(drawn.iter().chain(&["--json"])).exits(0).json();
    fits(&said, "labels-drawn");
    assert_eq!((&said["drawn"]["of"], &said["drawn"]["rows"]), (&json!(60), &json!(40)));
    let rows = lines(&project, "audit.jsonl");
    assert!(rows[1].get("label").is_some() && rows[1].get("suggested").is_none());
    assert!(rows.iter().skip(1).all(|row| row["split"] == "test"));
    let again = project.run(["labels", "topics", "--random", "40", "-o", "again.jsonl", "-q"]).exits(0);
    assert_eq!(project.read("again.jsonl"), project.read("audit.jsonl"), "{again:?}");
    let planted = |row: &Value| PLANTED.iter().any(|(id, _)| row["id"] == *id);
    reviewed(&project, "audit.jsonl", |row| Some((if planted(row) { "wrong" } else { "right" }, String::new())));
    let wrong = rows.iter().skip(1).filter(|row| planted(row)).count();
    let apply = ["labels", "topics", "--apply", "audit.jsonl"];
    let applied = project.run(apply.iter().chain(&["--json", "--write"])).exits(0).json();
    fits(&applied, "labels-applied");
    let key = format!("audit = {{ checked = 40, wrong = {wrong} }}");
    assert_eq!(applied["audit"]["found"]["key"], key);
    assert_eq!(
        project.read("topics/suite.toml"),
        SUITE.replace("[data]   # here\n", &format!("[data]   # here\n{key}\n"))
    );
    project.run(["check", "topics"]).exits(0);
    let review = project.run(["labels", "topics", "--json", "-q"]).exits(0).json();
    assert_eq!((&review["ceiling"]["source"], &review["ceiling"]["checked"]), (&json!("audit"), &json!(40)));
    // Written again it takes the place of the old one.
    project.run(apply.iter().chain(&["--write"])).exits(0);
    assert_eq!(project.read("topics/suite.toml").matches("audit =").count(), 1);
}

#[test]
fn a_blind_audit_has_no_labels_and_compares_those_that_are_given() {
    let project = suite();
    project.run(["labels", "topics", "--random", "10", "--blind", "--seed", "5", "-o", "audit.jsonl", "-q"]).exits(0);
    let text = project.read("audit.jsonl");
    assert!(!text.contains("\"label\":") && text.contains("\"seed\":5"), "{text}");
    reviewed(&project, "audit.jsonl", |row| {
        let words = row["input"].as_str().unwrap();
        let topic =
            TOPICS.iter().find(|(_, all)| all.iter().any(|word| words.contains(&format!("my {word} ")))).unwrap();
        Some(("", topic.0.to_owned()))
    });
    let applied = project.run(["labels", "topics", "--apply", "audit.jsonl", "--json"]).exits(0).json();
    assert_eq!(applied["right"].as_u64().unwrap() + applied["wrong"].as_u64().unwrap(), 10);
    assert_eq!(applied["audit"]["found"]["checked"], 10);
}

#[test]
fn rows_that_cannot_be_meant_are_refused_at_their_place() {
    let project = suite();
    project.run(["labels", "topics", "--random", "3", "-o", "audit.jsonl", "-q"]).exits(0);
    let good = project.read("audit.jsonl");
    let with = |line: usize, from: &str, to: &str| {
        let changed: Vec<String> = good
            .lines()
            .enumerate()
            .map(|(place, text)| if place + 1 == line { text.replacen(from, to, 1) } else { text.to_owned() })
            .collect();
        project.write("audit.jsonl", (changed.join("\n") + "\n").as_bytes());
        let column = changed[line - 1].find(to).map_or(0, |at| changed[line - 1][..at].chars().count());
        (format!("audit.jsonl:{line}:"), column)
    };
    let apply = ["labels", "topics", "--apply", "audit.jsonl"];
    let id = lines(&project, "audit.jsonl")[2]["id"].as_str().unwrap().to_owned();
    for (line, from, to, code) in [
        (2, "\"verdict\":\"\"", "\"verdict\":\"rigth\"", "labels/bad-row"),
        (3, "\"corrected\":\"\"", "\"corrected\":\"refnd\"", "labels/bad-correction"),
        (3, id.as_str(), "nobody", "labels/unknown-row"),
        (4, "\"note\":\"\"", "\"note\":", "labels/bad-row"),
        (4, "\"label\":", "\"lable\":", "labels/bad-row"),
    ] {
        let (place, _) = with(line, from, to);
        let refused = project.run(apply).exits(2).says(code).says(&place);
        let column =
            refused.stderr().split_once(&place).unwrap().1.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        assert!(column.parse::<usize>().unwrap() > 1, "{}", refused.stderr());
    }
    with(1, "ceiling/label-review", "else");
    project.run(apply).exits(2).says("labels/no-header").says("audit.jsonl:1:1");
    project.run(["labels", "topics", "--apply", "nowhere.jsonl"]).exits(2).says("labels/unreadable");
    project.run(["labels", "topics", "--random", "3"]).exits(2).says("--output");
}

#[test]
fn answers_of_a_run_that_agree_against_a_label_are_shown() {
    let project = suite();
    let second = SUITE.replace(
        "[targets]",
        "[[variants]]\nname = \"again\"\nmodel = \"toy/small\"\nprompt = \"v1\"\nparams = { seed = 2 }\n\n[targets]",
    );
    project.write("topics/suite.toml", second.as_bytes());
    let server = crate::support::ScriptedServer::start(|request, _| {
        let asked = crate::support::last_user(request);
        let topic =
            TOPICS.iter().find(|(_, all)| all.iter().any(|word| asked.contains(&format!("my {word} ")))).unwrap();
        crate::support::say(&json!({"topic": topic.0}).to_string())
    });
    let project = project.live(&server);
    project.run(["run", "topics", "--provider", "toy=live", "-q"]).exits(0);
    let review = project.run(["labels", "topics", "last", "--json", "-q"]).exits(0).json();
    fits(&review, "labels");
    let found = &review["against"]["found"];
    assert_eq!((&found["variants"], &found["models"], &found["baseline"]), (&json!(2), &json!(1), &json!(true)));
    assert_eq!(found["compared"], 60);
    let against: BTreeSet<&str> =
        found["listed"].as_array().unwrap().iter().map(|one| one["row"]["id"].as_str().unwrap()).collect();
    assert_eq!(against, ["t007", "t020", "t033"].into());
    let by_default = project.run(["labels", "topics", "--json", "-q"]).exits(0).json();
    assert_eq!(by_default["run"], review["run"]);
    project.run(["labels", "topics", "nothing"]).exits(2);
    let reviewed = || project.run(["report", "last", "--json", "-q"]).exits(0).json()["label_review"].clone();
    assert_eq!(reviewed()["against"], review["against"], "a report shows the review that was made of its labels");
    let schema = project.read("topics/schema.json");
    project.write("topics/schema.json", schema.replace("[\"refund\"", "[\"other\",\"refund\"").as_bytes());
    assert_ne!(project.read("topics/schema.json"), schema);
    assert_eq!(reviewed(), Value::Null, "and not one that was made with other classes");
}

#[test]
fn rows_without_a_label_are_no_class() {
    let project = suite();
    project.write("topics/suite.toml", SUITE.replace("[output]\nschema = \"schema.json\"\n", "").as_bytes());
    let pool = project.read("topics/pool.jsonl");
    let row =
        |n: usize, expected: Value| json!({"id": format!("x{n}"), "input": text(n + 300).1, "expected": expected});
    let open: String = (0..6)
        .map(|n| row(n, if n % 2 == 0 { json!({"topic": null}) } else { json!({}) }).to_string() + "\n")
        .collect();
    project.write("topics/pool.jsonl", (open + &pool).as_bytes());
    let review = project.run(["labels", "topics", "--json", "-q"]).exits(0).json();
    fits(&review, "labels");
    let found = &review["confident"]["found"];
    assert_eq!((&found["rows"], &found["unlabelled"]), (&json!(160), &json!(6)), "{review:#}");
    let classes: Vec<&str> =
        found["thresholds"].as_array().unwrap().iter().map(|one| one["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["card", "login", "rate", "refund"]);
    // The places are those of the rows all the same: what was planted behind the open ones is found.
    let first: Vec<&str> =
        review["list"].as_array().unwrap().iter().take(5).map(|row| row["id"].as_str().unwrap()).collect();
    assert!(first.contains(&"t033") && first.contains(&"p054"), "{first:?}");
}

#[test]
fn several_annotators_are_compared() {
    let project = suite();
    let given = |name: &str, rows: &[(&str, &str)]| -> String {
        rows.iter()
            .map(|(id, topic)| json!({"id": id, "expected": {"topic": topic}, "annotator": name}).to_string() + "\n")
            .collect()
    };
    let first = lines(&project, "topics/test.jsonl");
    let same: Vec<(&str, &str)> = first
        .iter()
        .take(10)
        .map(|row| (row["id"].as_str().unwrap(), row["expected"]["topic"].as_str().unwrap()))
        .collect();
    let mut other = same.clone();
    other[7].1 = "rate";
    project.write("topics/more.jsonl", (given("ann", &same) + &given("bob", &other)).as_bytes());
    let with = SUITE.replace("pool = ", "annotations = [\"more.jsonl\", \"third.jsonl\"]\npool = ");
    project.write("topics/suite.toml", with.as_bytes());
    project.write("topics/third.jsonl", b"{\"id\": \"t001\", \"expected\": \"refund\"}\n");
    let review = project.run(["labels", "topics", "--json", "-q"]).exits(0).json();
    let pairs: Vec<(&str, &str, u64, u64)> = review["annotators"]["found"]["pairs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            let text = |key: &str| pair[key].as_str().unwrap();
            (text("a"), text("b"), pair["pairs"].as_u64().unwrap(), pair["agreed"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(pairs[..2], [("expected", "ann", 10, 10), ("expected", "bob", 10, 9)]);
    assert_eq!(pairs.len(), 6);
    assert_eq!(
        (&review["ceiling"]["source"], &review["ceiling"]["checked"]),
        (&json!("double-annotation"), &json!(10))
    );
    assert!(review["list"].to_string().contains("annotator bob gave `rate`"));
}

#[test]
fn a_target_above_the_label_ceiling_is_no_reason_to_train() {
    let page = crate::evidence::reference("evidence.md");
    let figures = crate::evidence::block(&page, "", "toml");
    let project = Project::new()
        .file("good.toml", figures)
        .file("unfit.toml", &figures.replacen("wrong = 4\n", "wrong = 60\n", 1));
    let verdict = |file: &str| project.run(["decide", "--evidence", file, "--json"]).exits(0).json()["verdict"].clone();
    let trains =
        |verdict: &Value| verdict["next_step"]["rung"].as_str().is_some_and(|rung| rung == "lora" || rung == "dpo");
    assert!(trains(&verdict("good.toml")), "{:#}", verdict("good.toml"));
    let unfit = verdict("unfit.toml");
    assert_eq!((&unfit["rule"], &unfit["label_ceiling"]["state"]), (&json!("L6_label_ceiling"), &json!("unreachable")));
    assert!(unfit["notes"].as_array().unwrap().contains(&json!("suite-unfit")) && !trains(&unfit), "{unfit:#}");
    assert!(unfit["headline"].as_str().unwrap().starts_with("Suite unfit: fix the labels first"), "{unfit:#}");
}
