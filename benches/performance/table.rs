//! Tables of Markdown, and the page that holds them.

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/design/performance.md");

/// A table under a heading.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) heads: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn render(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let heads: Vec<String> = self.heads.iter().map(|head| (*head).to_owned()).collect();
        let rule = vec!["---".to_owned(); heads.len()];
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("**{}**\n\n{}{}{rows}", self.title, line(&heads), line(&rule))
    }
}

/// Replaces a part of the page, which stands between two comments.
pub(crate) fn write(part: &str, tables: &[Table]) {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (begins, ends) = (format!("<!-- {part} -->\n"), format!("<!-- /{part} -->"));
    let from = page.find(&begins).unwrap_or_else(|| panic!("{PAGE} has no {begins}")) + begins.len();
    let to = page.find(&ends).unwrap_or_else(|| panic!("{PAGE} has no {ends}"));
    let tables: Vec<String> = tables.iter().map(Table::render).collect();
    std::fs::write(PAGE, format!("{}\n{}\n{}", &page[..from], tables.join("\n"), &page[to..])).unwrap();
}

/// A figure with what it may be: `met` or `missed` in words.
pub(crate) fn verdict(met: bool) -> String {
    if met { "met" } else { "**missed**" }.to_owned()
}

/// The middle of some figures, which are sorted by it.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    quantile(figures, 0.5)
}

/// The smallest figure that this share of all does not exceed; sorts them.
pub(crate) fn quantile(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[((figures.len() as f64 * share).ceil() as usize).clamp(1, figures.len()) - 1]
}
