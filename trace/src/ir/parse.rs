//! Reads the text form of a trace; see [`super::print`] for the grammar.
//!
//! Instructions must be numbered from 0001 without gaps. `;` starts a comment. The result is as written: nothing is folded, and
//! [`super::verify`] says whether it makes sense.

use std::fmt;

use traceorus_base::Tag;

use super::{CallId, FieldId, Ins, IrBuf, IrOp, Mode, REF_NONE, Ref, Snap, SnapEntry, Ty};

/// What is wrong with a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// In words.
    pub text: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}
impl std::error::Error for ParseError {}

/// The trace that `text` describes.
pub fn parse(text: &str) -> Result<IrBuf, ParseError> {
    let mut buf = IrBuf::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.split(';').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        parse_line(&mut buf, line).map_err(|text| ParseError { line: n + 1, text })?;
    }
    Ok(buf)
}

fn parse_line(buf: &mut IrBuf, line: &str) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("pvals:") {
        for t in rest.split_whitespace() {
            buf.pvals.push(ty(t)?);
        }
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix('#') {
        return snap(buf, rest);
    }
    let mut words = line.split_whitespace().peekable();
    let number = words.next().ok_or("empty line")?;
    let number: usize = number
        .parse()
        .map_err(|_| format!("instruction number expected, not {number:?}"))?;
    if number != buf.len() {
        return Err(format!("instruction {} expected, not {number}", buf.len()));
    }
    if line.contains("---- LOOP ----") {
        let r = buf.push(Ins::new(IrOp::Loop, Ty::Void, REF_NONE, REF_NONE));
        buf.loop_ref = r;
        return Ok(());
    }
    let guard = words.next_if_eq(&">").is_some();
    let t = ty(words.next().ok_or("type expected")?)?;
    let name = words.next().ok_or("instruction expected")?;
    let op = *IrOp::ALL
        .iter()
        .find(|o| o.name() == name)
        .ok_or_else(|| format!("no instruction {name:?}"))?;
    if guard != op.is_guard() {
        return Err(format!(
            "{name} is {} guard",
            if guard { "no" } else { "a" }
        ));
    }
    let mut operands = [REF_NONE; 2];
    for (m, o) in op.modes().into_iter().zip(&mut operands) {
        if m != Mode::None {
            let w = words
                .next()
                .ok_or_else(|| format!("operand of {name} expected"))?;
            *o = operand(buf, op, m, w)?;
        }
    }
    if let Some(w) = words.next() {
        return Err(format!("unexpected {w:?}"));
    }
    buf.push(Ins::new(op, t, operands[0], operands[1]));
    Ok(())
}

fn snap(buf: &mut IrBuf, rest: &str) -> Result<(), String> {
    let (head, entries) = rest.split_once('[').ok_or("`[` expected")?;
    let entries = entries.trim().strip_suffix(']').ok_or("`]` expected")?;
    let mut s = Snap {
        first: buf.next(),
        start: buf.entries.len() as u32,
        end: 0,
        pc: 0,
        base: 0,
        live: 0,
        top: Snap::NO_TOP,
        pcalls: 0,
        decided: false,
        asked: false,
        done: Default::default(),
    };
    let mut words = head.split_whitespace();
    let n = words.next().ok_or("snapshot number expected")?;
    if n.parse() != Ok(buf.snaps.len()) {
        return Err(format!("snapshot #{} expected", buf.snaps.len()));
    }
    for w in words {
        let (name, value) = w
            .split_once('=')
            .ok_or_else(|| format!("name=value expected, not {w:?}"))?;
        let v = number(value)?;
        match name {
            "pc" => s.pc = v as u64,
            "base" => s.base = v as i16,
            "live" => s.live = v as i16,
            "top" => s.top = v as i16,
            "pcalls" => s.pcalls = v as u16,
            "decided" => (s.decided, s.asked) = (v != 0, v != 0),
            "asked" => s.asked = v != 0,
            _ => return Err(format!("unknown property {name:?} of a snapshot")),
        }
    }
    for e in entries.split(',').map(str::trim).filter(|e| !e.is_empty()) {
        let (slot, value) = e.split_once(':').ok_or("`slot: value tag` expected")?;
        let mut words = value.split_whitespace();
        let (Some(val), Some(tag), None) = (words.next(), words.next(), words.next()) else {
            return Err(format!("payload and tag expected in {e:?}"));
        };
        let entry = SnapEntry {
            slot: number(slot)? as i16,
            val: reference(buf, val)?,
            tag: reference(buf, tag)?,
        };
        buf.entries.push(entry);
    }
    s.end = buf.entries.len() as u32;
    buf.snaps.push(s);
    Ok(())
}

/// The type with this name.
pub(crate) fn ty(name: &str) -> Result<Ty, String> {
    Ty::ALL
        .into_iter()
        .find(|t| t.name().trim_end() == name)
        .ok_or_else(|| format!("no type {name:?}"))
}

fn number(text: &str) -> Result<i64, String> {
    let t = text.trim();
    let hex = t
        .strip_prefix("0x")
        .map(|h| u64::from_str_radix(h, 16).map(|v| v as i64));
    hex.unwrap_or_else(|| t.parse())
        .map_err(|_| format!("number expected, not {text:?}"))
}

fn operand(buf: &mut IrBuf, op: IrOp, m: Mode, w: &str) -> Result<Ref, String> {
    match m {
        Mode::None => Ok(REF_NONE),
        Mode::Ref => reference(buf, w),
        Mode::Const => {
            let r = reference(buf, w)?;
            if r.is_ins() {
                return Err(format!("constant expected, not {w:?}"));
            }
            Ok(r)
        }
        Mode::Signed | Mode::Lit => {
            if let Some(n) = w.strip_prefix('#') {
                let n = number(n)?;
                let fits = if m == Mode::Signed {
                    i16::try_from(n).is_ok()
                } else {
                    u16::try_from(n).is_ok()
                };
                return if fits {
                    Ok(Ref(n as u16))
                } else {
                    Err(format!("literal {w} out of range"))
                };
            }
            let found = match op {
                IrOp::FLd | IrOp::FRef => FieldId::ALL
                    .iter()
                    .find(|f| f.info().name == w)
                    .map(|&f| f as u16),
                IrOp::Call | IrOp::CallN | IrOp::CallL => CallId::ALL
                    .iter()
                    .find(|c| c.info().name == w)
                    .map(|&c| c as u16),
                IrOp::TEq | IrOp::TNe => tag(w).map(|t| t.0 as i16 as u16),
                _ => None,
            };
            found
                .map(Ref)
                .ok_or_else(|| format!("no literal {w:?} of {}", op.name()))
        }
    }
}

fn tag(w: &str) -> Option<Tag> {
    if let Some(n) = w.strip_prefix("tag:") {
        return n.parse().ok().map(Tag);
    }
    ty(w).ok()?.tag()
}

/// The operand that `w` denotes; interns constants.
pub(crate) fn reference(buf: &mut IrBuf, w: &str) -> Result<Ref, String> {
    if w == "-" {
        return Ok(REF_NONE);
    }
    if w.starts_with(['+', '-']) {
        let bad = |_| format!("bad number {w:?}");
        return if w.contains(['.', 'e', 'i', 'n']) {
            Ok(buf.k_float(
                w.parse()
                    .map_err(|e: std::num::ParseFloatError| bad(e.to_string()))?,
            ))
        } else {
            Ok(buf.k_int(
                w.parse()
                    .map_err(|e: std::num::ParseIntError| bad(e.to_string()))?,
            ))
        };
    }
    if w.starts_with(|c: char| c.is_ascii_digit()) {
        let n: usize = w.parse().map_err(|_| format!("bad operand {w:?}"))?;
        return if n < buf.len() {
            Ok(Ref::from_ins(n))
        } else {
            Err(format!("{w} is not defined yet"))
        };
    }
    if let Some(t) = tag(w) {
        return Ok(buf.k_tag(t));
    }
    let (t, bits) = w
        .split_once(':')
        .ok_or_else(|| format!("bad operand {w:?}"))?;
    let t = ty(t)?;
    Ok(buf.k(t, number(bits)? as u64))
}
