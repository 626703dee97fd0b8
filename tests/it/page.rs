//! The report as a page: what a browser makes of it, that its figures are those of the JSON report, and
//! that nothing that a model says is more than text.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::plan::shipped;
use crate::support::browser::{Browser, Page};
use crate::support::project::schema_helps;
use crate::support::{Project, ScriptedServer, say};

/// The shipped suite, run once for all tests: its page, and its report as JSON.
static OUTAGES: LazyLock<(Project, Value)> = LazyLock::new(|| {
    let project = Project::new();
    let suite = shipped("outages").display().to_string();
    let report = project.run(["run", &suite, "--limit", LIMIT, "-q", "--json"]).exits(0).json();
    project.run(["report", "-q", "-o", "report.html"]).exits(0);
    (project, report)
});

/// Examples of it: enough for every outcome, few enough for a debug build.
const LIMIT: &str = "90";

fn address(project: &Project) -> String {
    format!("file://{}", project.path("report.html").display())
}

fn opened(browser: &Browser, width: u32, height: u32, dark: bool) -> Page<'_> {
    let page = browser.open(&address(&OUTAGES.0), width, height, dark);
    page.wait_for("document.querySelector('#explorer .detail h3')");
    page
}

/// How many examples the filters leave.
fn found(page: &Page<'_>) -> String {
    page.wait_for("!document.querySelector('[data-role=note]').textContent");
    page.eval("document.querySelector('[data-role=count]').textContent").as_str().unwrap().to_owned()
}

/// Sets a filter to the option of this text, or the search box to this text.
fn filter(page: &Page<'_>, name: &str, text: &str) {
    let script = format!(
        "(async () => {{
            const control = document.querySelector('#explorer [name={name}]');
            const option = [...(control.options ?? [])].find((option) => option.textContent === {text});
            control.value = option ? option.value : {text};
            document.querySelector('[data-role=note]').textContent = 'waiting';
            control.dispatchEvent(new Event('input', {{ bubbles: true }}));
        }})()",
        text = json!(text)
    );
    page.eval(&script);
}

fn variant<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["variants"].as_array().unwrap().iter().find(|row| row["variant"] == name).unwrap()
}

#[test]
fn the_shipped_suite_is_read_at_once_and_its_figures_are_those_of_the_json_report() {
    let Some(browser) = Browser::start() else { return };
    reads_at_once(&browser);
    figures_are_those_of_the_json_report(&browser);
}

/// On a desk and on a telephone, light and dark.
fn reads_at_once(browser: &Browser) {
    for (width, height) in [(1440, 900), (390, 844)] {
        for dark in [false, true] {
            let page = opened(browser, width, height, dark);
            let seen = "[...document.querySelectorAll('.verdict .kind, .verdict .headline, .decisive > div, .next')]
                .every((part) => part.getBoundingClientRect().bottom <= innerHeight && part.getBoundingClientRect().right <= innerWidth)";
            assert_eq!(page.eval(seen), true, "{width} dark {dark}");
            assert_eq!(page.eval("document.documentElement.scrollWidth"), width, "the page is wider than its window");
            assert_eq!(page.eval("document.querySelectorAll('.decisive > div').length"), 3);
            assert_eq!(page.console(), [""; 0]);
            assert_eq!(page.requests(), [address(&OUTAGES.0).as_str()]);
        }
    }
}

fn figures_are_those_of_the_json_report(browser: &Browser) {
    let (project, report) = &*OUTAGES;
    let page = opened(browser, 1440, 900, false);
    let figures =
        page.eval("[...document.querySelectorAll('data')].map((data) => [data.dataset.at, Number(data.value)])");
    let figures = figures.as_array().unwrap();
    assert!(figures.len() > 500, "{}", figures.len());
    for figure in figures {
        let at = figure[0].as_str().unwrap();
        assert_eq!(report.pointer(at).and_then(Value::as_f64), figure[1].as_f64(), "{at}");
    }
    let own = page.eval("document.getElementById('report-json').textContent");
    let own: Value = serde_json::from_str(own.as_str().unwrap()).unwrap();
    let printed = project.run(["report", "--format", "json"]).exits(0).json();
    assert!(own == printed && own == *report, "the page holds another report than the one that was printed");
}

#[test]
fn the_examples_of_the_shipped_suite_are_found_and_unfold() {
    let Some(browser) = Browser::start() else { return };
    let page = opened(&browser, 1440, 900, false);
    filters_find_what_the_report_counts(&page);
    page.click("[data-role=clear]");
    page.wait_for("document.querySelector('#explorer .detail h3').textContent === 't-0001'");
    the_keyboard_moves(&page);
}

fn filters_find_what_the_report_counts(page: &Page<'_>) {
    let report = &OUTAGES.1;
    assert_eq!(found(page), "90 examples");
    filter(page, "a", "tuned");
    filter(page, "outcome", "right");
    let tuned = variant(report, "tuned");
    let right = (tuned["accuracy"]["point"].as_f64().unwrap() * 90.0).round();
    assert_eq!(found(page), format!("{right} of 90 examples"));
    filter(page, "outcome", "any");
    filter(page, "a", "schema");
    filter(page, "b", "tuned-schema");
    filter(page, "flip", "B right, A not");
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["from"] == "schema" && step["to"] == "tuned-schema").unwrap();
    assert_eq!(found(page), format!("{} of 90 examples", step["fixed"]));
    filter(page, "flip", "A right, B not");
    page.wait_for("!document.querySelector('[data-role=note]').textContent");
    assert_eq!(found(page), format!("{} of 90 examples", step["broken"]));
    page.click("[data-role=clear]");
    filter(page, "tag", "channel");
    filter(page, "value", "crew");
    let crew = tuned["slices"].as_array().unwrap().iter().find(|slice| slice["value"] == "crew").unwrap();
    assert_eq!(found(page), format!("{} of 90 examples", crew["accuracy"]["n"]));
    filter(page, "value", "any");
    filter(page, "search", "t-0003");
    assert_eq!(found(page), "1 of 90 examples");
    assert_eq!(page.eval("document.querySelector('#explorer .detail h3').textContent"), "t-0003");
    assert_eq!(page.eval("document.querySelectorAll('#explorer .card').length"), 13);
    filter(page, "search", "");
    filter(page, "together", "right by all");
    assert_eq!(found(page), "0 of 90 examples");
    assert_eq!(page.console(), [""; 0]);
}

fn the_keyboard_moves(page: &Page<'_>) {
    page.eval("document.querySelector('#explorer .list').focus()");
    page.press("j");
    page.wait_for("document.querySelector('#explorer .detail h3').textContent === 't-0002'");
    page.press("ArrowDown");
    page.wait_for("document.querySelector('#explorer .detail h3').textContent === 't-0003'");
    page.press("k");
    page.wait_for("location.hash === '#example=t-0002'");
    page.eval("document.querySelector('#explorer .card details:last-of-type').open = true");
    page.wait_for("document.querySelectorAll('#explorer .card details[open] pre').length === 2");
    let request = page.eval("document.querySelector('#explorer .card details[open] pre').textContent");
    assert!(request.as_str().unwrap().contains("\"messages\""), "{request}");
    page.press("/");
    page.wait_for("document.activeElement.name === 'search'");
    page.press("Escape");
    let sort = |column: &str| {
        page.eval(&format!(
            "[...document.querySelectorAll('table.sortable th button')].find((one) => one.textContent === '{column}').click()"
        ));
        page.eval("document.querySelector('table.sortable tbody td').dataset.sort")
    };
    // On the first ninety reports the trained-on LoRA is ahead of the bound.
    assert_eq!(sort("accuracy"), "tuned");
    assert_eq!(sort("variant"), "cached");
    // None of those that have none stands before those that have.
    sort("cut");
    let cut = "(() => { const table = document.querySelector('table.sortable');
        const at = [...table.tHead.rows[0].cells].findIndex((head) => head.textContent === 'cut');
        return [...table.tBodies[0].rows].map((row) => Number(row.cells[at].textContent)); })()";
    let counts: Vec<u64> = page.eval(cut).as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b) && counts[0] > 0 && counts.contains(&0), "{counts:?}");
    // Whatever is chosen last is what is shown, however slowly chunks open.
    page.eval("for (let step = 0; step < 20; step += 1) { for (const key of ['PageDown', 'PageUp']) \
               { document.querySelector('#explorer .list').focus(); document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })); } }");
    page.eval("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Home', bubbles: true }))");
    page.wait_for("document.querySelector('#explorer .detail h3').textContent === 't-0001'");
    page.eval("document.querySelector('[data-theme-toggle]').click()");
    assert_eq!(page.eval("document.documentElement.dataset.theme"), "dark");
    page.eval("document.querySelector('[data-panel=latency-1]').click()");
    assert_eq!(page.eval("document.getElementById('latency-0').hidden"), true);
    assert!(page.pdf().starts_with(b"%PDF"));
    assert_eq!(page.console(), [""; 0]);
}

/// What a hostile model may say; each begins or ends something somewhere.
fn hostile(place: usize) -> String {
    match place % 9 {
        0 => "</script><script>window.pwned = 1</script><img src=x onerror=window.pwned=2>".to_owned(),
        1 => "\u{202e}evil\u{2066} \u{0} \u{1b}[31m <!--<script>".to_owned(),
        2 => "<a href=\"javascript:window.pwned=3\" onclick=window.pwned=4>".repeat(3) + "]]></style></pre></html>",
        3 => "x".repeat(1_000_000) + "<b>end",
        4 => "[".repeat(9000) + &"]".repeat(9000),
        5 => r#"{"label": "red", "id": 12345678901234567890, "x": 1.0, "label": "blue", "d": [[], {}, [1, "a,b:{"]]}"#
            .to_owned(),
        6 => r#"{"colour": "\ud800 <svg onload=window.pwned=5>"}"#.to_owned(),
        7 => r#"Sure! {"label": "red"}"#.to_owned(),
        _ => "${window.pwned=6} {{7*7}} `+alert(1)+`".to_owned(),
    }
}

#[test]
fn a_run_that_stopped_early_shows_what_its_figures_rest_on() {
    let Some(browser) = Browser::start() else { return };
    let server = ScriptedServer::start(|request, _| schema_helps(request));
    let project = Project::new().suite("tiny").live(&server);
    project.edit("suites/tiny/suite.toml", "[targets]", "[statistics]\nalpha = 0.2\n[targets]");
    project.run(["run", "suites/tiny", "--provider", "toy=live", "-q", "--stop-when-decided"]);
    project.run(["report", "-q", "-o", "report.html"]).exits(0);
    let page = browser.open(&address(&project), 1440, 900, false);
    page.wait_for("document.querySelector('#explorer .detail h3')");
    let report = project.run(["report", "--format", "json"]).exits(0).json();
    let most = report["variants"].as_array().unwrap().iter().map(|row| row["n"].as_u64().unwrap()).max().unwrap();
    let said = page.eval("document.querySelector('[data-role=count]').textContent");
    assert_eq!(said, format!("{most} examples"), "{}", report["anytime"]);
    let text = page.eval("document.body.innerText");
    assert!(text.as_str().unwrap().contains("80% confidence sequence"), "{text}");
    assert_eq!(page.console(), [""; 0]);
}

#[test]
fn whatever_a_model_says_stays_text() {
    let server = ScriptedServer::start(|_, attempt| say(&hostile(attempt)));
    let project = Project::new().suite("tiny").live(&server);
    let input = json!({"id": "<img src=x onerror=window.pwned=8>", "input": "</script><script>window.pwned=9</script> red",
                       "expected": {"label": "red"}, "tags": {"<b>tag": "\"'><svg onload=window.pwned=10>"}});
    let examples = project.read("suites/tiny/examples.jsonl");
    project.write("suites/tiny/examples.jsonl", format!("{examples}{input}\n").as_bytes());
    project.run(["run", "suites/tiny", "--provider", "toy=live", "-q"]);
    project.run(["report", "-q", "-o", "report.html"]).exits(0);
    let Some(browser) = Browser::start() else { return };
    let page = browser.open(&address(&project), 1440, 900, false);
    page.wait_for("document.querySelector('#explorer .detail h3')");
    let count = page.eval("document.querySelectorAll('#explorer .rows .row').length").as_u64().unwrap();
    for _ in 0..count {
        page.eval("document.querySelector('#explorer .list').focus()");
        page.press("j");
    }
    page.eval("for (const box of document.querySelectorAll('#explorer details')) box.open = true");
    page.wait_for("document.querySelectorAll('#explorer .card details[open] pre').length > 0");
    assert_eq!(page.eval("typeof window.pwned"), "undefined");
    assert_eq!(
        page.eval("document.querySelectorAll('img, svg[onload], iframe, #explorer a, #explorer script').length"),
        0
    );
    assert_eq!(page.eval("document.scripts.length - document.querySelectorAll('script[type]').length"), 4);
    assert_eq!(page.eval("document.querySelector('[data-role=problem]').hidden"), true);
    filter(&page, "search", "12345678901234567890");
    page.wait_for("document.querySelector('#explorer .detail').textContent.includes('12345678901234567890')");
    let laid_out =
        page.eval("[...document.querySelectorAll('#explorer .card pre')].map((pre) => pre.textContent).join(' ')");
    let laid_out = laid_out.as_str().unwrap();
    assert!(laid_out.contains("\"x\": 1.0") && laid_out.matches("\"label\"").count() >= 2, "{laid_out}");
    filter(&page, "search", "sure!");
    page.wait_for("document.querySelector('#explorer .card mark.fault')");
    page.wait_for(
        "[...document.querySelectorAll('#explorer .card mark.fault')].some((mark) => mark.textContent === 'S')",
    );
    filter(&page, "search", "evil");
    page.wait_for("!document.querySelector('[data-role=note]').textContent");
    let shown = page.eval("document.querySelector('#explorer .detail').textContent");
    assert!(shown.as_str().unwrap().contains("U+202E"), "{shown}");
    assert_eq!(page.console(), [""; 0]);
    assert_eq!(page.requests(), [address(&project).as_str()]);
}
