//! Annotated bytecode as text, for `--dump bytecode` and golden tests.
//!
//! ```text
//! function <script.lua:1,9> (2 params, 5 registers, 1 upvalue)
//!     0  [2]  GETFIELD   R3 R0 "x"              ; a
//!     3  [2]  JNLTI      R3 10 -> 9
//! ```
//! Columns: word, line, mnemonic, operands by mode (registers `R3`, upvalues `U0`, immediates, constants by value, jump
//! targets as `-> word`), and behind `;` the names of the local variables and upvalues that the registers are.

use std::fmt::Write;

use traceorus_base::Tag;
use traceorus_base::bytecode::{self as bc, Extra, MULTI, Mode, Op};
use traceorus_base::chunk::{Chunk, Const, Function, StrNum, Strings};

use crate::builder::is_wide;
use crate::source::chunkid;

/// Lists a chunk with all its functions, outer ones first.
pub fn list(chunk: &Chunk) -> String {
    let mut out = String::new();
    let name = String::from_utf8_lossy(&chunkid(&chunk.source)).into_owned();
    let lister = Lister {
        strings: &chunk.strings,
        source: &name,
    };
    lister.function(&chunk.main, &mut out);
    out
}

struct Lister<'a> {
    strings: &'a Strings,
    source: &'a str,
}

fn plural(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

impl Lister<'_> {
    fn function(&self, f: &Function, out: &mut String) {
        let source = self.source;
        let kind = if f.line_defined == 0 {
            "main"
        } else {
            "function"
        };
        let params = format!(
            "{}{}",
            plural(usize::from(f.nparams), "param"),
            if f.is_vararg { "+" } else { "" }
        );
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{kind} <{source}:{},{}> ({params}, {}, {}, {}, {})",
            f.line_defined,
            f.last_line_defined,
            plural(usize::from(f.frame_size), "register"),
            plural(f.upvals.len(), "upvalue"),
            plural(f.consts.len(), "constant"),
            plural(f.functions.len(), "function"),
        );
        for (i, u) in f.upvals.iter().enumerate() {
            let place = if u.in_stack { "R" } else { "U" };
            let fixed = if u.readonly { ", read-only" } else { "" };
            let attrib = ["", ", const", ", close"]
                .get(usize::from(u.attrib))
                .copied()
                .unwrap_or("");
            let _ = writeln!(
                out,
                "  U{i} = {place}{} {}{fixed}{attrib}",
                u.index,
                self.name(u.name)
            );
        }
        for (pc, op) in f.instructions() {
            if pc + op.words() > f.code.len() {
                let _ = writeln!(out, "{pc:5}  cut off");
                break;
            }
            self.instruction(f, pc, op, out);
        }
        for nested in &f.functions {
            out.push('\n');
            self.function(nested, out);
        }
    }

    fn instruction(&self, f: &Function, pc: usize, op: Op, out: &mut String) {
        let w = f.code[pc];
        let line = f.lines.get(pc).map_or("-".to_string(), u32::to_string);
        let mut operands = String::new();
        let mut names: Vec<String> = Vec::new();
        let mut operand = |s: String| {
            if !operands.is_empty() {
                operands.push(' ');
            }
            operands.push_str(&s);
        };
        for (mode, v) in op.info().modes.iter().zip([bc::a(w), bc::b(w), bc::c(w)]) {
            match mode {
                Mode::W | Mode::R | Mode::S => {
                    operand(format!("R{v}"));
                    if let Some(name) = self.local_name(f, v, pc, op, *mode)
                        && !names.contains(&name)
                    {
                        names.push(name);
                    }
                }
                Mode::U => {
                    operand(format!("U{v}"));
                    if let Some(u) = f
                        .upvals
                        .get(usize::from(v))
                        .filter(|u| self.strings.name(u.name) != b"_ENV")
                    {
                        names.push(self.name(u.name));
                    }
                }
                Mode::I => operand((v as i16).to_string()),
                Mode::N => operand(if v == MULTI {
                    "*".into()
                } else {
                    v.to_string()
                }),
                Mode::T => operand(primitive(v).into()),
                Mode::J if !is_wide(op) => operand(format!(
                    "-> {}",
                    pc as i64 + op.words() as i64 + bc::jump16(w)
                )),
                Mode::L => operand(format!(
                    "-> {}",
                    pc as i64 + op.words() as i64 + bc::jump32(w)
                )),
                _ => {}
            }
        }
        for (i, kind) in op.info().extra.iter().enumerate() {
            let x = f.code[pc + 1 + i];
            match kind {
                Extra::Const | Extra::Str => operand(
                    f.consts
                        .get(x as usize)
                        .map_or("?".into(), |k| self.constant(k)),
                ),
                Extra::Cache => {}
                Extra::Proto => {
                    let at = f.functions.get(x as usize).map_or(0, |p| p.line_defined);
                    operand(format!("F{x}"));
                    names.push(format!("line {at}"));
                }
                Extra::Template => {
                    let keys = f.templates.get(x as usize).map_or(&[][..], |t| t);
                    let keys: Vec<String> = keys
                        .iter()
                        .map(|&k| {
                            f.consts
                                .get(k as usize)
                                .map_or("?".into(), |k| self.constant(k))
                        })
                        .collect();
                    operand(format!("{{{}}}", keys.join(" ")));
                }
                Extra::Imm2 => operand(format!("({}, {})", x as u32, x >> 32)),
            }
        }
        let mut text = format!("{pc:5}  [{line}]  {:10} {operands}", op.mnemonic());
        if !names.is_empty() {
            let _ = write!(
                text,
                "{:pad$}; {}",
                "",
                names.join(" "),
                pad = 48usize.saturating_sub(text.len()).max(1)
            );
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }

    /// The local variable in a register; for one that is being written, the variable that begins here.
    fn local_name(&self, f: &Function, reg: u16, pc: usize, op: Op, mode: Mode) -> Option<String> {
        let next = pc + op.words();
        let at = |pc: usize| {
            f.locvars.iter().rev().find(|v| {
                u16::from(v.reg) == reg
                    && v.start_pc as usize <= pc
                    && pc < v.end_pc as usize
                    && !self.strings.name(v.name).starts_with(b"(")
            })
        };
        let found = at(pc).or_else(|| if mode == Mode::W { at(next) } else { None })?;
        Some(self.name(found.name))
    }

    fn name(&self, n: StrNum) -> String {
        String::from_utf8_lossy(self.strings.name(n)).into_owned()
    }

    /// A constant as the source would write it; long strings are cut.
    fn constant(&self, k: &Const) -> String {
        match k {
            Const::Nil => "nil".into(),
            Const::Bool(b) => b.to_string(),
            Const::Int(i) => i.to_string(),
            Const::Float(x) => format!("{x:?}"),
            Const::Str(s) => {
                let s = self.strings.name(*s);
                const SHOWN: usize = 40;
                let mut t = String::from("\"");
                for &c in s.iter().take(SHOWN) {
                    match c {
                        b'\n' => t.push_str("\\n"),
                        b'"' | b'\\' => t.extend(['\\', char::from(c)]),
                        32..=126 => t.push(char::from(c)),
                        _ => {
                            let _ = write!(t, "\\x{c:02x}");
                        }
                    }
                }
                t.push('"');
                if s.len() > SHOWN {
                    let _ = write!(t, "...({})", s.len());
                }
                t
            }
        }
    }
}

fn primitive(tag: u16) -> &'static str {
    match Tag(i32::from(tag)) {
        Tag::NIL => "nil",
        Tag::TRUE => "true",
        Tag::FALSE => "false",
        _ => "?",
    }
}
