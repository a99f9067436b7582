//! Templates: Lua text whose indentation shows the blocks, with placeholders.
//!
//! ```text
//! $i integer expression   $n number   $s string   $b boolean   $e any type   $a simple literal of any type
//! $I integer literal (edge values too)   $N number literal   $S string literal   $k 1..6   $z 0..9   $f field name
//! $+ arithmetic operator   $& bit operator   $< ordering   $= comparison   $p pattern   $r index near the edges
//! ${a|b|c} one of them (texts with placeholders)
//! line "$stmts": some statements      line "@int x": from here on `x` is a visible integer variable (num, str, bool,
//! tab, arr, any, fun1, fun2), "@const x ..." not to be assigned
//! ```

use super::tree::Item;
use super::{Gen, Ty};

impl Gen {
    /// The template's statements. Variables that it declares at its outermost level stay visible.
    pub fn template(&mut self, text: &str) -> Vec<Item> {
        let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
        let mut at = 0;
        let indent = lines.first().map_or(0, |l| indent(l));
        self.level(&lines, &mut at, indent)
    }

    fn level(&mut self, lines: &[&str], at: &mut usize, level: usize) -> Vec<Item> {
        let mut items = Vec::new();
        while *at < lines.len() && indent(lines[*at]) >= level {
            let line = lines[*at].trim();
            *at += 1;
            if let Some(d) = line.strip_prefix('@') {
                self.directive(d);
                continue;
            }
            if line == "$stmts" {
                let n = self.rng.range(1, 4);
                items.extend(self.stmts(n as usize));
                continue;
            }
            let head = self.fill(line);
            if *at >= lines.len() || indent(lines[*at]) <= level {
                items.push(Item::Line(head));
                continue;
            }
            // a block, possibly with several parts
            let (mut heads, mut bodies) = (vec![head], Vec::new());
            let close = loop {
                let kept = self.scope.len();
                let outer = (self.functions, self.varargs, self.loops);
                let h = heads.last().expect("there is one").clone();
                if h.contains("function") {
                    self.functions += 1;
                    self.varargs = h.contains("...)");
                    self.loops = 0;
                }
                bodies.push(self.level(lines, at, level + 1));
                (self.functions, self.varargs, self.loops) = outer;
                self.scope.truncate(kept);
                assert!(*at < lines.len(), "a block without an end: {heads:?}");
                let next = lines[*at].trim();
                *at += 1;
                let next = self.fill(next);
                if next.starts_with("else") {
                    heads.push(next);
                } else {
                    break next;
                }
            };
            items.push(Item::Block {
                heads,
                bodies,
                close,
            });
        }
        items
    }

    fn directive(&mut self, d: &str) {
        let (free, d) = match d.strip_prefix("const ") {
            Some(d) => (false, d),
            None => (true, d),
        };
        let (ty, names) = d.split_once(' ').expect("type and names");
        let ty = match ty {
            "int" => Ty::Int,
            "num" => Ty::Num,
            "str" => Ty::Str,
            "bool" => Ty::Bool,
            "tab" => Ty::Tab,
            "arr" => Ty::Arr,
            "any" => Ty::Any,
            "fun1" => Ty::Fun(1),
            "fun2" => Ty::Fun(2),
            _ => panic!("unknown directive {d}"),
        };
        for n in names.split_whitespace() {
            self.declare(n, ty, free && !matches!(ty, Ty::Fun(_)));
        }
    }

    /// The text with its placeholders filled.
    pub fn fill(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(i) = rest.find('$') {
            out.push_str(&rest[..i]);
            rest = &rest[i + 1..];
            let c = rest.chars().next().expect("a placeholder after $");
            if c == '{' {
                let (choice, after) = choices(&rest[1..]);
                let one = self.rng.pick(&choice).to_string();
                out.push_str(&self.fill(&one));
                rest = after;
                continue;
            }
            rest = &rest[c.len_utf8()..];
            let s = match c {
                'i' => self.expr(Ty::Int, 2),
                'n' => self.expr(Ty::Num, 2),
                's' => self.expr(Ty::Str, 2),
                'b' => self.expr(Ty::Bool, 2),
                'e' => self.any(2),
                'a' => self.literal(),
                'I' => self.int_literal(),
                'N' => self.num_literal(),
                'S' => self.str_literal(),
                'k' => self.rng.range(1, 6).to_string(),
                'z' => self.rng.range(0, 9).to_string(),
                'f' => self.field().to_string(),
                '+' => self.rng.pick(&["+", "-", "*", "/", "//", "%", "^"]).into(),
                '&' => self.rng.pick(&["&", "|", "~", "<<", ">>"]).into(),
                '<' => self.rng.pick(&["<", "<=", ">", ">="]).into(),
                '=' => self.rng.pick(&["<", "<=", ">", ">=", "==", "~="]).into(),
                'p' => self.pattern(),
                'r' => self
                    .rng
                    .pick(&[
                        "1",
                        "2",
                        "3",
                        "-1",
                        "-2",
                        "0",
                        "5",
                        "100",
                        "-100",
                        "math.maxinteger",
                        "math.mininteger",
                    ])
                    .into(),
                _ => panic!("unknown placeholder ${c}"),
            };
            out.push_str(&s);
        }
        out.push_str(rest);
        out
    }
}

fn indent(line: &str) -> usize {
    (line.len() - line.trim_start().len()) / 2
}

/// Splits `a|b|c}rest`, braces nest.
fn choices(s: &str) -> (Vec<&str>, &str) {
    let (mut depth, mut start, mut all) = (0, 0, Vec::new());
    let mut before = ' ';
    for (i, c) in s.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                all.push(&s[start..i]);
                return (all, &s[i + 1..]);
            }
            '|' if depth == 0 && before != '\\' => {
                all.push(&s[start..i]);
                start = i + 1;
            }
            _ => {}
        }
        before = c;
    }
    panic!("a choice without an end: {s}")
}
