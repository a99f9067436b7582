//! Tables for docs/BENCHMARKS.md.

use super::view::View;

/// The report as Markdown.
pub fn render(view: &View) -> Result<String, String> {
    super::html::fill(
        "report.md",
        include_str!("../../templates/report.md.j2"),
        view,
    )
}
