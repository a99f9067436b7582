//! One HTML page with bars that needs nothing else: no scripts, no other files.

use minijinja::Environment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;

use super::view::View;

/// The report as an HTML page. The template's name makes the engine escape every value.
pub fn render(view: &View) -> Result<String, String> {
    fill(
        "report.html",
        include_str!("../../templates/report.html.j2"),
        view,
    )
}

/// Fills one template. `Err` only if the template itself is wrong, which the tests would show.
pub fn fill(name: &'static str, template: &'static str, view: &View) -> Result<String, String> {
    let run = || {
        let mut environment = Environment::new();
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .keep_trailing_newline(true)
                .build()?,
        );
        environment.add_template(name, template)?;
        environment.get_template(name)?.render(Serde(view))
    };
    run().map_err(|e: minijinja::Error| format!("template {name}: {e:#}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::args::Metric;
    use crate::render::{markdown, text};
    use crate::report::{Cell, Machine, PeerInfo, ProgramReport, Report};

    fn sample() -> Report {
        let cell = |wall: f64| Cell {
            problem: None,
            wall_seconds: vec![wall],
            cpu_seconds: vec![wall],
            peak_bytes: vec![3_145_728],
        };
        let failed = Cell {
            problem: Some("exit status 1: <oops> | x".into()),
            ..Cell::default()
        };
        let program =
            |set: &str, group: &str, name: &str, cells: [(&str, Cell); 2]| ProgramReport {
                set: set.into(),
                group: group.into(),
                name: name.into(),
                about: "a & b".into(),
                output: "1".into(),
                cells: cells
                    .into_iter()
                    .map(|(n, c)| (n.to_owned(), c))
                    .collect::<BTreeMap<_, _>>(),
            };
        let peer = |name: &str| PeerInfo {
            name: name.into(),
            command: name.into(),
            version: "Lua 5.4".into(),
        };
        Report {
            unix_time: 86_400,
            machine: Machine {
                processor: "cpu".into(),
                cores: 2,
                kernel: "6".into(),
            },
            rounds: 1,
            scale: Some(0.5),
            programs_folder: "programs".into(),
            peers: vec![peer("slow"), peer("fast")],
            missing: vec!["gone: not found".into()],
            programs: vec![
                program(
                    "common",
                    "numeric",
                    "one",
                    [("slow", cell(0.4)), ("fast", cell(0.1))],
                ),
                program(
                    "common",
                    "numeric",
                    "two",
                    [("slow", cell(0.4)), ("fast", failed)],
                ),
                program(
                    "common",
                    "startup",
                    "empty",
                    [("slow", cell(0.001)), ("fast", cell(0.002))],
                ),
            ],
        }
    }

    #[test]
    fn every_format_shows_the_figures() {
        let report = sample();
        let view = View::new(&report, &["slow"], Metric::Wall);
        let page = render(&view).expect("the template is right");
        for part in [
            "4.00",
            "a &amp; b",
            "&lt;oops&gt;",
            "gone: not found",
            "1970-01-02",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("<oops>"));
        let md = markdown::render(&view).expect("the template is right");
        assert!(md.contains("| one | 400 (1.00) | 100 (4.00) |"), "{md}");
        assert!(
            md.contains("| **all common** | **1.00** | **4.00** |"),
            "{md}"
        );
        assert!(text::render(&view).contains("exit status 1"));
    }

    #[test]
    fn start_up_is_not_in_the_total() {
        let report = sample();
        let view = View::new(&report, &["slow"], Metric::Wall);
        assert_eq!(view.totals.len(), 1);
        assert_eq!(view.totals[0].cells[1].count, 1);
        assert_eq!(view.problems.len(), 1);
    }

    #[test]
    fn reports_survive_json() {
        let text = serde_json::to_string(&sample()).expect("plain data");
        let back: Report = serde_json::from_str(&text).expect("just written");
        assert_eq!(back.programs.len(), 3);
        assert_eq!(back.pick_references(&[]), Ok(vec!["slow"]));
        assert!(back.pick_references(&["nobody".to_owned()]).is_err());
    }
}
