//! Random statements.

use super::tree::Item;
use super::{Gen, Ty};

const FUEL: &str = "fuel = fuel - 1 if fuel < 0 then error(\"fuel\", 0) end";

impl Gen {
    /// Some statements; the variables they declare stay visible to what follows in the block.
    pub fn stmts(&mut self, n: usize) -> Vec<Item> {
        let mut all = Vec::new();
        for _ in 0..n {
            self.stmt(&mut all);
        }
        all
    }

    /// Statements in a scope of their own.
    fn block(&mut self, n: usize) -> Vec<Item> {
        let kept = self.scope.len();
        let b = self.stmts(n);
        self.scope.truncate(kept);
        b
    }

    fn few(&mut self) -> usize {
        let deep = self.loops + self.functions;
        self.rng.range(1, if deep > 3 { 2 } else { 4 }) as usize
    }

    fn line(&mut self, out: &mut Vec<Item>, s: impl Into<String>) {
        out.push(Item::Line(s.into()));
    }

    fn stmt(&mut self, out: &mut Vec<Item>) {
        let shallow = self.loops < 3 && self.functions < 4;
        match self.rng.below(44) {
            0..5 => self.local(out),
            5..11 => self.assign(out),
            11..15 => self.store(out),
            15 | 16 => {
                let s = format!("P({}, {})", self.any(2), self.any(1));
                self.line(out, s);
            }
            17..20 if shallow => self.conditional(out),
            20..23 if shallow => self.numeric_for(out),
            23 | 24 if shallow => self.generic_for(out),
            25 if shallow => self.while_loop(out),
            26 if shallow => self.repeat_loop(out),
            27 if shallow => self.goto_loop(out),
            28..31 if shallow => self.function(out),
            31 if shallow => {
                let n = self.few();
                let b = self.block(n);
                out.push(Item::block("do", b, "end"));
            }
            32 | 33 if shallow => self.protected(out),
            34 => self.swap(out),
            35 => self.array_op(out),
            36 if shallow => self.closing(out),
            37 => {
                let s = format!("P({})", self.expr(Ty::Tab, 2));
                self.line(out, s);
            }
            38 if self.rng.chance(20) => self.line(out, "collectgarbage()"),
            39 if shallow => self.escape(out),
            _ => self.assign(out),
        }
    }

    fn any_ty(&mut self) -> Ty {
        self.rng.pick(&[
            Ty::Int,
            Ty::Int,
            Ty::Num,
            Ty::Num,
            Ty::Str,
            Ty::Str,
            Ty::Bool,
            Ty::Tab,
            Ty::Arr,
            Ty::Any,
        ])
    }

    fn local(&mut self, out: &mut Vec<Item>) {
        let n = if self.rng.chance(25) {
            self.rng.range(2, 3)
        } else {
            1
        };
        let tys: Vec<Ty> = (0..n).map(|_| self.any_ty()).collect();
        let values: Vec<String> = tys.iter().map(|&t| self.expr(t, 3)).collect();
        let names: Vec<String> = (0..n).map(|_| self.name("v")).collect();
        let constant = n == 1 && self.rng.chance(12);
        let attrib = if constant { " <const>" } else { "" };
        self.line(
            out,
            format!("local {}{attrib} = {}", names.join(", "), values.join(", ")),
        );
        for (name, ty) in names.iter().zip(tys) {
            self.declare(name, ty, !constant);
        }
    }

    fn assign(&mut self, out: &mut Vec<Item>) {
        let ty = self.any_ty();
        let Some(v) = self.var(|v| v.ty == ty && v.free) else {
            return self.local(out);
        };
        let s = match ty {
            Ty::Int if self.rng.chance(50) => format!(
                "{v} = {v} {} {}",
                self.rng.pick(&["+", "-", "*", "&", "|", "~"]),
                self.expr(Ty::Int, 2)
            ),
            Ty::Num if self.rng.chance(50) => format!(
                "{v} = {v} {} {}",
                self.rng.pick(&["+", "-", "*", "/"]),
                self.expr(Ty::Num, 2)
            ),
            Ty::Str => format!("{v} = C({})", self.expr(Ty::Str, 3)),
            Ty::Arr => format!("{v} = A({})", self.expr(Ty::Arr, 2)),
            _ => format!("{v} = {}", self.expr(ty, 3)),
        };
        self.line(out, s);
    }

    fn store(&mut self, out: &mut Vec<Item>) {
        let Some(t) = self.var(|v| v.ty == Ty::Tab) else {
            return self.local(out);
        };
        let v = if self.rng.chance(15) {
            "nil".into()
        } else {
            self.expr(Ty::Any, 2)
        };
        let s = match self.rng.below(6) {
            0..3 => format!("{t}.{} = {v}", self.field()),
            3 => format!("{t}[{}] = {v}", self.key(1)),
            4 => {
                let (f, g) = (self.field(), self.field());
                format!(
                    "{t}.{f}, {t}[{}], {t}.{g} = {v}, {}",
                    self.key(1),
                    self.expr(Ty::Any, 1)
                )
            }
            _ => {
                let f = self.field();
                format!(
                    "{t}.{f} = M({t}.{f}) {} {}",
                    self.rng.pick(&["+", "-", "*"]),
                    self.expr(Ty::Num, 1)
                )
            }
        };
        self.line(out, s);
    }

    fn swap(&mut self, out: &mut Vec<Item>) {
        let ty = self.any_ty();
        let (a, b) = (
            self.var(|v| v.ty == ty && v.free),
            self.var(|v| v.ty == ty && v.free),
        );
        if let (Some(a), Some(b)) = (a, b)
            && a != b
        {
            self.line(out, format!("{a}, {b} = {b}, {a}"));
        }
    }

    fn array_op(&mut self, out: &mut Vec<Item>) {
        let Some(a) = self.var(|v| v.ty == Ty::Arr) else {
            return self.local(out);
        };
        let n = self.expr(Ty::Num, 2);
        let s = match self.rng.below(9) {
            0 | 1 => format!("{a}[#{a} + 1] = {n}"),
            2 => format!("table.insert({a}, {n})"),
            3 => format!("table.insert({a}, 1, {n})"),
            4 => format!("{a}[#{a}] = nil"),
            5 => format!("P(table.remove({a}))"),
            6 => format!("P(table.remove({a}, 1))"),
            7 => format!(
                "for i = 1, #{a} do {a}[i] = N({a}[i]) end table.sort({a}, function(p, q) return p {} q end)",
                self.rng.pick(&["<", ">"])
            ),
            _ => format!(
                "for i = 1, #{a} do {a}[i] = {a}[i] {} end",
                self.rng.pick(&["+ 1", "* 0.5", "- 0.0", "* 2"])
            ),
        };
        self.line(out, s);
        if self.rng.chance(30) {
            self.line(out, format!("P(#{a}, {a}[1], {a}[#{a}])"));
        }
    }

    fn conditional(&mut self, out: &mut Vec<Item>) {
        let mut heads = vec![format!("if {} then", self.expr(Ty::Bool, 3))];
        let n = self.few();
        let mut bodies = vec![self.block(n)];
        if self.rng.chance(25) {
            heads.push(format!("elseif {} then", self.expr(Ty::Bool, 2)));
            let n = self.few();
            bodies.push(self.block(n));
        }
        if self.rng.chance(40) {
            heads.push("else".into());
            let n = self.few();
            bodies.push(self.block(n));
        }
        out.push(Item::Block {
            heads,
            bodies,
            close: "end".into(),
        });
    }

    /// The body of a loop: fuel, declared variables, perhaps a way out and a continue label.
    fn body(&mut self, vars: &[(&str, Ty)]) -> Vec<Item> {
        let kept = self.scope.len();
        self.loops += 1;
        for &(n, t) in vars {
            self.declare(n, t, self.rng.0.is_multiple_of(5));
        }
        let mut b = Vec::new();
        if self.loops > 1 {
            self.line(&mut b, FUEL);
        }
        let n = self.few();
        let skip = self.rng.chance(15).then(|| self.name("continue"));
        b.extend(self.stmts(n));
        if let Some(label) = &skip {
            let c = self.expr(Ty::Bool, 2);
            self.line(&mut b, format!("if {c} then goto {label} end"));
            // what follows declares nothing at this level, so that the label is in the block's end
            let inner = self.block(2);
            b.push(Item::block("do", inner, "end"));
        }
        if self.rng.chance(15) {
            let c = self.expr(Ty::Bool, 2);
            self.line(&mut b, format!("if {c} then break end"));
        }
        if let Some(label) = skip {
            self.line(&mut b, format!("::{label}::"));
        }
        self.loops -= 1;
        self.scope.truncate(kept);
        b
    }

    fn numeric_for(&mut self, out: &mut Vec<Item>) {
        let v = self.name("i");
        let (range, ty) = match self.rng.below(9) {
            0..3 => (format!("1, {}", self.rng.range(0, 7)), Ty::Int),
            3 => (
                format!("{}, {}, -1", self.rng.range(0, 6), self.rng.range(-1, 3)),
                Ty::Int,
            ),
            4 => ("0, 1, 0.25".into(), Ty::Num),
            5 => (
                format!(
                    "math.maxinteger - {}, math.maxinteger",
                    self.rng.range(0, 3)
                ),
                Ty::Int,
            ),
            6 => (
                format!(
                    "math.mininteger + {}, math.mininteger, -1",
                    self.rng.range(0, 3)
                ),
                Ty::Int,
            ),
            7 => (
                format!(
                    "1, {}",
                    self.rng.pick(&["3.7", "2.0", "-1.0", "(0/0)", "(-1/0)"])
                ),
                Ty::Int,
            ),
            _ => ("1.0, 3".into(), Ty::Num),
        };
        let b = self.body(&[(&v, ty)]);
        out.push(Item::block(format!("for {v} = {range} do"), b, "end"));
    }

    fn generic_for(&mut self, out: &mut Vec<Item>) {
        let (k, v) = (self.name("k"), self.name("w"));
        match self.rng.below(4) {
            0 | 1 => {
                let a = self.expr(Ty::Arr, 1);
                let b = self.body(&[(&k, Ty::Int), (&v, Ty::Num)]);
                out.push(Item::block(
                    format!("for {k}, {v} in ipairs({{table.unpack(A({a}))}}) do"),
                    b,
                    "end",
                ));
            }
            2 => {
                let s = self.expr(Ty::Str, 1);
                let b = self.body(&[(&k, Ty::Str)]);
                out.push(Item::block(
                    format!("for {k} in (C({s})):gmatch(\"%w\") do"),
                    b,
                    "end",
                ));
            }
            _ => {
                // no order: only what does not depend on it
                let Some(t) = self.var(|v| v.ty == Ty::Tab) else {
                    return self.numeric_for(out);
                };
                let n = self.name("v");
                self.line(out, format!("local {n} = 0"));
                let line = match self.rng.below(3) {
                    0 => format!("{n} = {n} + I({v})"),
                    1 => format!(
                        "{n} = {n} ~ #S({k}) if type({k}) == \"number\" then {t}[{k}] = nil end"
                    ),
                    _ => format!("{n} = {n} + 1 {t}[{k}] = I({v})"),
                };
                out.push(Item::block(
                    format!("for {k}, {v} in pairs({t}) do"),
                    vec![Item::Line(line)],
                    "end",
                ));
                self.declare(&n, Ty::Int, true);
            }
        }
    }

    fn while_loop(&mut self, out: &mut Vec<Item>) {
        let v = self.name("c");
        self.line(out, format!("local {v} = 0"));
        self.declare(&v, Ty::Int, false);
        let mut b = vec![Item::Line(format!("{v} = {v} + 1"))];
        let c = self.expr(Ty::Bool, 2);
        b.extend(self.body(&[]));
        out.push(Item::block(
            format!("while {v} < {} and {c} do", self.rng.range(1, 6)),
            b,
            "end",
        ));
    }

    fn repeat_loop(&mut self, out: &mut Vec<Item>) {
        let (c, d) = (self.name("c"), self.name("v"));
        self.line(out, format!("local {c} = 0"));
        self.declare(&c, Ty::Int, false);
        let kept = self.scope.len();
        self.loops += 1;
        let mut b = vec![Item::Line(format!("{c} = {c} + 1"))];
        self.line(&mut b, FUEL);
        let n = self.few();
        b.extend(self.stmts(n));
        let e = self.expr(Ty::Num, 2);
        self.line(&mut b, format!("local {d} = {e}"));
        self.declare(&d, Ty::Num, true);
        let until = self.expr(Ty::Bool, 2);
        self.loops -= 1;
        let close = format!(
            "until {c} >= {} or {d} {} 3 or {until}",
            self.rng.range(1, 5),
            self.rng.pick(&["<", "==", ">="])
        );
        self.scope.truncate(kept);
        out.push(Item::block("repeat", b, close));
    }

    fn goto_loop(&mut self, out: &mut Vec<Item>) {
        let (c, top) = (self.name("c"), self.name("top"));
        let kept = self.scope.len();
        self.declare(&c, Ty::Int, false);
        self.loops += 1;
        let n = self.few();
        let mut b = vec![
            Item::Line(format!("local {c} = 0")),
            Item::Line(format!("::{top}::")),
            Item::Line(FUEL.into()),
        ];
        let inner = self.block(n);
        b.push(Item::block("do", inner, "end"));
        self.line(&mut b, format!("{c} = {c} + 1"));
        let times = self.rng.range(1, 5);
        self.line(&mut b, format!("if {c} < {times} then goto {top} end"));
        self.loops -= 1;
        self.scope.truncate(kept);
        out.push(Item::block("do", b, "end"));
    }

    fn function(&mut self, out: &mut Vec<Item>) {
        let n = self.rng.below(2) as u8 + 1;
        let f = self.name("f");
        let vararg = self.rng.chance(25);
        let params: Vec<String> = (0..n).map(|_| self.name("a")).collect();
        let kept = self.scope.len();
        let outer = (self.loops, self.varargs);
        self.functions += 1;
        (self.loops, self.varargs) = (0, vararg);
        for p in &params {
            self.declare(p, Ty::Num, true);
        }
        let mut b = vec![Item::Line(FUEL.into())];
        let k = self.few();
        b.extend(self.stmts(k));
        let result = self.expr(Ty::Num, 3);
        self.line(&mut b, format!("return {result}"));
        self.functions -= 1;
        (self.loops, self.varargs) = outer;
        self.scope.truncate(kept);
        let dots = if vararg { ", ..." } else { "" };
        let head = match self.rng.below(3) {
            0 => format!("local {f} = function({}{dots})", params.join(", ")),
            _ => format!("local function {f}({}{dots})", params.join(", ")),
        };
        out.push(Item::block(head, b, "end"));
        self.declare(&f, Ty::Fun(n), false);
        let args: Vec<String> = (0..n).map(|_| self.expr(Ty::Num, 2)).collect();
        self.line(out, format!("P(pcall({f}, {}))", args.join(", ")));
    }

    fn protected(&mut self, out: &mut Vec<Item>) {
        let outer = (self.loops, self.varargs);
        self.functions += 1;
        (self.loops, self.varargs) = (0, false);
        let n = self.few();
        let kept = self.scope.len();
        let mut b = self.stmts(n);
        let last = match self.rng.below(5) {
            0 => format!("error({})", self.expr(Ty::Any, 2)),
            1 => format!("error({}, {})", self.expr(Ty::Str, 2), self.rng.range(0, 3)),
            2 => format!("error({{{}}})", self.expr(Ty::Any, 1)),
            3 => format!("return {}, {}", self.any(2), self.any(2)),
            _ => format!(
                "return {} {} {}",
                self.literal(),
                self.rng.pick(&["+", "<", "..", "&", "//", "^"]),
                self.literal()
            )
            .nan_safe(),
        };
        self.line(&mut b, last);
        self.scope.truncate(kept);
        self.functions -= 1;
        (self.loops, self.varargs) = outer;
        out.push(Item::block("P(pcall(function()", b, "end))"));
    }

    fn closing(&mut self, out: &mut Vec<Item>) {
        let v = self.name("c");
        let n = self.few();
        let mut b = vec![Item::Line(format!(
            "local {v} <close> = setmetatable({{}}, {{__close = function(_, e) P(\"{v}\", e){} end}})",
            if self.rng.chance(15) {
                " error(\"in close\")"
            } else {
                ""
            }
        ))];
        b.extend(self.block(n));
        out.push(Item::block("do", b, "end"));
    }

    /// A return from the middle, in a block of its own.
    fn escape(&mut self, out: &mut Vec<Item>) {
        let c = self.expr(Ty::Bool, 2);
        let r = self.expr(Ty::Num, 2);
        self.line(out, format!("if {c} then return {r} end"));
    }
}

trait NanSafe {
    fn nan_safe(self) -> String;
}
impl NanSafe for String {
    /// NaN as text has a sign that is not determined.
    fn nan_safe(self) -> String {
        if self.contains("..") {
            self.replace("(0/0)", "1")
        } else {
            self
        }
    }
}
