//! Colours of dumps, put in line by line, so that what writes sections need not know of them.

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";

/// The style of a line as a whole.
fn style(line: &str) -> &'static str {
    let text = line.trim_start();
    if line.starts_with("---- TRACE abort") {
        RED
    } else if line.starts_with("---- TRACE") {
        BOLD
    } else if text.starts_with('#') {
        DIM
    } else if text.starts_with(';') {
        // IR between machine code
        GREEN
    } else if text.starts_with("->") {
        // labels of machine code
        YELLOW
    } else if text
        .get(4..)
        .is_some_and(|t| t.trim_start().starts_with('>'))
    {
        // guards
        CYAN
    } else {
        ""
    }
}

/// A section with colours.
pub(super) fn section(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive('\n') {
        let style = style(line);
        match (style, line.strip_suffix('\n')) {
            ("", _) => out.push_str(line),
            (_, Some(l)) => out.extend([style, l, RESET, "\n"]),
            (_, None) => out.extend([style, line, RESET]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text =
            "---- TRACE 1 IR\n0001    int SLOAD  #1\n0002 >  int EQ     0001 +1\n  #0 pc=1\n";
        let colored = section(text);
        assert_eq!(colored.matches(RESET).count(), 3);
        assert!(colored.contains(&format!("{CYAN}0002 >  int EQ     0001 +1{RESET}\n")));
        assert!(colored.contains("\n0001    int SLOAD  #1\n"));
        let mut plain = colored;
        for code in [RESET, BOLD, DIM, RED, GREEN, YELLOW, CYAN] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, text);
    }
}
