//! Tables for a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::view::{CellView, MeanCell, View};

/// The report as text: a table of times and speeds, one of memory, then means, worst cases and problems.
pub fn render(view: &View) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "Times in ms ({}, minimum of {} rounds); in brackets the speed, with {} as 1: higher is faster.",
        view.clock, view.rounds, view.reference
    );
    let _ = writeln!(
        out,
        "{}\n",
        table(view, |c| pair(&c.time, &c.speed), |m| m.speed.clone())
    );
    let _ = writeln!(
        out,
        "Peak memory in MiB; in brackets the ratio, with {} as 1: lower is better.",
        view.reference
    );
    let _ = writeln!(
        out,
        "{}",
        table(
            view,
            |c| pair(&c.memory, &c.memory_ratio),
            |m| m.memory_ratio.clone()
        )
    );
    for worst in view.worst.iter().filter(|w| !w.slowest.is_empty()) {
        let _ = writeln!(
            out,
            "\n{}: slowest {}; most memory {}",
            worst.peer,
            worst.slowest.join(", "),
            worst.largest.join(", ")
        );
    }
    for missing in &view.missing {
        let _ = writeln!(out, "\npeer skipped: {missing}");
    }
    if !view.problems.is_empty() {
        let _ = writeln!(out, "\nProblems:");
        for problem in &view.problems {
            let _ = writeln!(out, "  {problem}");
        }
    }
    out
}

/// One table with a row per program, a mean per group, and the totals.
fn table(
    view: &View,
    cell: impl Fn(&CellView) -> String,
    mean: impl Fn(&MeanCell) -> String,
) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(std::iter::once("program").chain(view.peers.iter().map(|p| p.name.as_str())));
    for group in &view.groups {
        for row in &group.rows {
            table.add_row(
                std::iter::once(format!("  {}", row.name)).chain(row.cells.iter().map(&cell)),
            );
        }
        table.add_row(
            std::iter::once(group.means.label.clone())
                .chain(group.means.cells.iter().map(|m| mean_of(&mean(m)))),
        );
    }
    for total in &view.totals {
        table.add_row(
            std::iter::once(total.label.to_uppercase())
                .chain(total.cells.iter().map(|m| mean_of(&mean(m)))),
        );
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// `value (ratio)`, or less if a part is empty.
fn pair(value: &str, ratio: &str) -> String {
    if ratio.is_empty() {
        value.to_owned()
    } else {
        format!("{value} ({ratio})")
    }
}

/// `mean (ratio)`, or a dash if nothing counts.
fn mean_of(ratio: &str) -> String {
    if ratio.is_empty() {
        "-".to_owned()
    } else {
        format!("mean ({ratio})")
    }
}
