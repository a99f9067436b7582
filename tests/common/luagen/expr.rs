//! Random expressions. Most are of the type asked for; a few are not, and raise errors.

use super::{Gen, Ty};

const INTS: [&str; 34] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "-3",
    "5",
    "7",
    "10",
    "31",
    "32",
    "33",
    "63",
    "64",
    "100",
    "127",
    "128",
    "-128",
    "255",
    "256",
    "32767",
    "32768",
    "-32768",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967296",
    "(1<<53)",
    "((1<<53)+1)",
    "math.maxinteger",
    "math.mininteger",
    "0xffffffffffffffff",
];
const FLOATS: [&str; 34] = [
    "0.0",
    "-0.0",
    "0.5",
    "-0.5",
    "1.0",
    "1.5",
    "2.0",
    "-1.0",
    "-2.0",
    "3.0",
    "3.7",
    "-3.7",
    "10.0",
    "0.1",
    "1e15",
    "1e16",
    "2.0^53",
    "(2.0^53+1)",
    "2.0^63",
    "-(2.0^63)",
    "2.0^64",
    "1e100",
    "1e308",
    "-1e308",
    "5e-324",
    "1e-300",
    "(1/0)",
    "(-1/0)",
    "(0/0)",
    "math.huge",
    "math.pi",
    "123456.789",
    "9007199254740993.0",
    "255.0",
];
const STRINGS: [&str; 26] = [
    r#""""#,
    r#""a""#,
    r#""b""#,
    r#""abc""#,
    r#""hello world""#,
    r#""10""#,
    r#""0x10""#,
    r#"" 5 ""#,
    r#""1e1""#,
    r#""3.0""#,
    r#""-7""#,
    r#"C("a\0b")"#,
    r#"C("a\0c")"#,
    r#""äöü€""#,
    r#""0123456789012345678901234567890123456789""#,
    r#""01234567890123456789012345678901234567890""#,
    r#""0123456789012345678901234567890123456789x""#,
    r#""nan""#,
    r#""inf""#,
    r#""1e""#,
    r#""0x""#,
    r#""9223372036854775807""#,
    r#""9223372036854775808""#,
    r#""x\ny""#,
    r#""[[(a.b)]]""#,
    r#""ABC abc 123""#,
];
const FIELDS: [&str; 9] = ["a", "b", "c", "x", "y", "n", "name", "len", "z1"];

impl Gen {
    pub fn field(&mut self) -> &'static str {
        self.rng.pick(&FIELDS)
    }
    pub fn int_literal(&mut self) -> String {
        if self.rng.chance(45) {
            return self.rng.range(-4, 12).to_string();
        }
        self.rng.pick(&INTS).into()
    }
    pub fn num_literal(&mut self) -> String {
        if self.rng.chance(40) {
            return self.int_literal();
        }
        self.rng.pick(&FLOATS).into()
    }
    pub fn str_literal(&mut self) -> String {
        self.rng.pick(&STRINGS).into()
    }
    /// A literal of any type.
    pub fn literal(&mut self) -> String {
        match self.rng.below(10) {
            0 => "nil".into(),
            1 => self.rng.pick(&["true", "false"]).into(),
            2..4 => self.str_literal(),
            4..7 => self.int_literal(),
            _ => self.num_literal(),
        }
    }
    /// An expression of a random type without address.
    pub fn any(&mut self, depth: u32) -> String {
        let ty = self.rng.pick(&[
            Ty::Int,
            Ty::Int,
            Ty::Num,
            Ty::Num,
            Ty::Str,
            Ty::Bool,
            Ty::Tab,
            Ty::Any,
        ]);
        self.expr(ty, depth)
    }

    /// An expression of the type.
    pub fn expr(&mut self, ty: Ty, depth: u32) -> String {
        // now and then something else, for the error messages
        if self.rng.below(400) == 0 {
            return self.literal();
        }
        if depth == 0 {
            return self.leaf(ty);
        }
        match ty {
            Ty::Int => self.int_expr(depth - 1),
            Ty::Num => self.num_expr(depth - 1),
            Ty::Str => self.str_expr(depth - 1),
            Ty::Bool => self.bool_expr(depth - 1),
            Ty::Tab => self.tab_expr(depth - 1),
            Ty::Arr => self.arr_expr(depth - 1),
            Ty::Any => self.any_expr(depth - 1),
            Ty::Fun(_) => self.leaf(ty),
        }
    }

    fn leaf(&mut self, ty: Ty) -> String {
        if self.rng.chance(65)
            && let Some(v) = self.var(|v| v.ty == ty || ty == Ty::Num && v.ty == Ty::Int)
        {
            return v;
        }
        match ty {
            Ty::Int => self.int_literal(),
            Ty::Num => self.num_literal(),
            Ty::Str => self.str_literal(),
            Ty::Bool => self.rng.pick(&["true", "false", "nil", "0"]).into(),
            Ty::Tab => self
                .rng
                .pick(&[
                    "{}",
                    "{1, 2, 3}",
                    "{x = 1, y = 2.5}",
                    "{10, a = 3, [2.0] = 20}",
                ])
                .into(),
            Ty::Arr => self
                .rng
                .pick(&["{}", "{5}", "{3, 1, 2}", "{1.5, 2, 2.5, 3}"])
                .into(),
            Ty::Fun(n) => {
                let a = ["", "a", "a, b"][n.min(2) as usize];
                format!("function({a}) return 1 end")
            }
            Ty::Any => self.literal(),
        }
    }

    fn int_expr(&mut self, d: u32) -> String {
        let i = |g: &mut Gen| g.expr(Ty::Int, d);
        match self.rng.below(31) {
            0..3 => self.leaf(Ty::Int),
            3..8 => {
                let op = self.rng.pick(&["+", "-", "*"]);
                format!("({} {op} {})", i(self), i(self))
            }
            8 => format!(
                "({} {} {})",
                i(self),
                self.rng.pick(&["+", "-", "*"]),
                self.rng.range(-3, 200)
            ),
            9 => {
                let op = self.rng.pick(&["//", "%"]);
                format!(
                    "({} {op} {})",
                    i(self),
                    self.rng
                        .pick(&["1", "-1", "2", "3", "-7", "10", "math.mininteger"])
                )
            }
            10 if self.rng.chance(30) => {
                format!("({} {} {})", i(self), self.rng.pick(&["//", "%"]), i(self))
            }
            10..13 => {
                let op = self.rng.pick(&["&", "|", "~", "<<", ">>"]);
                format!("({} {op} {})", i(self), i(self))
            }
            13 => format!("(~{})", i(self)),
            14 => format!("(- {})", i(self)),
            15 => format!("#{}", paren(self.expr(Ty::Str, d))),
            16 => format!("#{}", paren(self.expr(Ty::Arr, d))),
            17 => format!("I({})", self.expr(Ty::Num, d)),
            18 => format!(
                "(({}):byte({}) or 0)",
                paren(self.expr(Ty::Str, d)),
                self.small()
            ),
            19 if self.varargs => "select('#', ...)".into(),
            19 => format!("select('#', {}, nil)", self.expr(Ty::Any, d)),
            20 => format!(
                "math.{}({}, {})",
                self.rng.pick(&["max", "min"]),
                i(self),
                i(self)
            ),
            21 => format!(
                "({} and {} or {})",
                self.expr(Ty::Bool, d),
                i(self),
                i(self)
            ),
            22 => format!("I({})", self.access(d)),
            23 => format!("SUM({})", self.expr(Ty::Tab, d)),
            24 => format!("(math.tointeger({}) or {})", self.expr(Ty::Num, d), i(self)),
            25 => format!("(N({}) // 1 | 0)", self.rng.range(-5, 99)),
            26 => format!("({} | \"{}\")", i(self), self.rng.range(0, 20)),
            27 => format!("(utf8.len({}) or -1)", self.expr(Ty::Str, d)),
            28 => format!("math.abs({})", i(self)),
            29 => format!(
                "(tonumber(\"{}\", {}) or 0)",
                self.rng.range(0, 99),
                self.rng.range(2, 36)
            ),
            _ => format!(
                "I(select({}, {}, {}))",
                self.rng.range(1, 2),
                i(self),
                i(self)
            ),
        }
    }

    fn num_expr(&mut self, d: u32) -> String {
        let n = |g: &mut Gen| g.expr(Ty::Num, d);
        match self.rng.below(24) {
            0..3 => self.leaf(Ty::Num),
            3..6 => self.expr(Ty::Int, d),
            6..11 => {
                let op = self.rng.pick(&["+", "-", "*", "/"]);
                format!("({} {op} {})", n(self), n(self))
            }
            11 => format!(
                "({} {} {})",
                n(self),
                self.rng.pick(&["+", "-", "*", "/"]),
                self.num_literal()
            ),
            12 => format!(
                "({} {} {})",
                n(self),
                self.rng.pick(&["//", "%"]),
                self.rng
                    .pick(&["2.0", "0.5", "-3.0", "3", "-2", "0.0", "(1/0)"])
            ),
            13 => format!(
                "({} ^ {})",
                n(self),
                self.rng.pick(&["2", "0.5", "-1", "0", "3.0"])
            ),
            14 => format!("(- {})", n(self)),
            15 => format!(
                "math.{}({})",
                self.rng.pick(&["floor", "ceil", "abs", "sqrt"]),
                n(self)
            ),
            16 => format!(
                "(\"{}\" {} {})",
                self.rng.pick(&["10", "0x10", " 5 ", "1e1", "-0.0"]),
                self.rng.pick(&["+", "-", "*"]),
                n(self)
            ),
            17 => format!("(tonumber({}) or {})", self.expr(Ty::Str, d), n(self)),
            18 => format!(
                "({} and {} or {})",
                self.expr(Ty::Bool, d),
                n(self),
                n(self)
            ),
            19 => format!("M({})", self.access(d)),
            20 => self.call(d),
            21 => format!("(({})[{}] or {})", self.arr_expr(d), self.small(), n(self)),
            22 => format!(
                "math.{}({}, {})",
                self.rng.pick(&["max", "min"]),
                n(self),
                n(self)
            ),
            _ => format!(
                "math.fmod({}, {})",
                n(self),
                self.rng.pick(&["3", "2.5", "-4", "-0.7"])
            ),
        }
    }

    fn str_expr(&mut self, d: u32) -> String {
        let s = |g: &mut Gen| g.expr(Ty::Str, d);
        match self.rng.below(22) {
            0..3 => self.leaf(Ty::Str),
            3..5 => format!("({} .. {})", s(self), s(self)),
            5 => format!(
                "({} .. N({}) .. {})",
                s(self),
                self.expr(Ty::Num, d),
                s(self)
            ),
            6 => format!("(N({}) .. {})", self.expr(Ty::Num, d), s(self)),
            7 => format!("{}:sub({}, {})", paren(s(self)), self.index(), self.index()),
            8 => format!("{}:rep({} & 3)", paren(s(self)), self.expr(Ty::Int, d)),
            9 => format!(
                "{}:{}()",
                paren(s(self)),
                self.rng.pick(&["upper", "lower", "reverse"])
            ),
            10 => format!("S({})", self.expr(Ty::Any, d)),
            11 => format!("tostring({})", self.expr(Ty::Int, d)),
            12 => format!(
                "string.format(\"%d %5d %x\", {}, {}, {})",
                self.expr(Ty::Int, d),
                self.expr(Ty::Int, d),
                self.expr(Ty::Int, d)
            ),
            13 => format!(
                "string.format(\"%s|%.3s|%6s|%-6s\", {}, {}, {}, {})",
                s(self),
                s(self),
                self.rng.pick(&["1", "2.5", "nil", "true"]),
                self.str_literal()
            ),
            14 => format!(
                "string.format(\"{}\", N({}))",
                self.rng
                    .pick(&["%g", "%.3f", "%10.2e", "%+.1f", "%.14g", "%5.1f", "%a"]),
                self.expr(Ty::Num, d)
            ),
            15 => format!("string.format(\"%q\", {})", s(self)),
            16 => format!(
                "(({}):gsub({}, {}))",
                s(self),
                self.pattern(),
                self.rng
                    .pick(&["\"x\"", "\"<%0>\"", "\"\"", "{a = \"1\", b = true}"])
            ),
            17 => format!("table.concat({}, {})", self.str_list(d), self.str_literal()),
            18 => format!("type({})", self.any(d)),
            19 => format!("S(({}):match({}))", s(self), self.pattern()),
            20 => format!(
                "string.char({}, {})",
                self.rng.range(0, 255),
                self.rng.range(32, 126)
            ),
            _ => format!(
                "({} and {} or {})",
                self.expr(Ty::Bool, d),
                s(self),
                s(self)
            ),
        }
    }

    fn bool_expr(&mut self, d: u32) -> String {
        match self.rng.below(14) {
            0 => self.leaf(Ty::Bool),
            1..4 => format!(
                "({} {} {})",
                self.expr(Ty::Num, d),
                self.comparison(),
                self.expr(Ty::Num, d)
            ),
            4 => format!(
                "({} {} {})",
                self.expr(Ty::Num, d),
                self.comparison(),
                self.num_literal()
            ),
            5 => format!(
                "({} {} {})",
                self.num_literal(),
                self.comparison(),
                self.expr(Ty::Num, d)
            ),
            6 => format!(
                "({} {} {})",
                self.expr(Ty::Int, d),
                self.comparison(),
                self.expr(Ty::Int, d)
            ),
            7 => format!(
                "({} {} {})",
                self.expr(Ty::Str, d),
                self.comparison(),
                self.expr(Ty::Str, d)
            ),
            8 => format!(
                "({} {} {})",
                self.any(d),
                self.rng.pick(&["==", "~="]),
                self.any(d)
            ),
            9 => format!("(not {})", self.expr(Ty::Bool, d)),
            10 => format!(
                "({} and {})",
                self.expr(Ty::Bool, d),
                self.expr(Ty::Bool, d)
            ),
            11 => format!("({} or {})", self.expr(Ty::Bool, d), self.expr(Ty::Bool, d)),
            12 => format!("rawequal({}, {})", self.expr(Ty::Any, d), self.literal()),
            _ => format!("({} == {})", self.access(d), self.literal()),
        }
    }

    fn tab_expr(&mut self, d: u32) -> String {
        if self.rng.chance(50) {
            return self.leaf(Ty::Tab);
        }
        let mut parts = Vec::new();
        for _ in 0..self.rng.below(5) {
            let v = self.expr(Ty::Any, d);
            parts.push(match self.rng.below(6) {
                0 | 1 => v,
                2 | 3 => format!("{} = {v}", self.field()),
                4 => format!("[{}] = {v}", self.key(d)),
                _ => format!(
                    "[{}] = {v}",
                    self.rng
                        .pick(&["1", "2", "3.0", "\"a\"", "-1", "true", "2^53", "0.5"])
                ),
            });
        }
        if self.rng.chance(15) {
            parts.push(match self.rng.below(3) {
                0 if self.varargs => "...".into(),
                1 => "table.unpack({1, 2, 3})".into(),
                _ => "(\"abc\"):byte(1, -1)".into(),
            });
        }
        format!("{{{}}}", parts.join(self.rng.pick(&[", ", "; "])))
    }

    fn arr_expr(&mut self, d: u32) -> String {
        match self.rng.below(6) {
            0..3 => self.leaf(Ty::Arr),
            3 => format!("A({})", self.leaf(Ty::Arr)),
            4 => format!(
                "{{table.unpack({}, 1, {})}}",
                "{4, 5, 6, 7}",
                self.rng.range(0, 4)
            ),
            _ => {
                let es: Vec<String> = (0..self.rng.below(6))
                    .map(|_| self.expr(Ty::Num, d))
                    .collect();
                format!("{{{}}}", es.join(", "))
            }
        }
    }

    fn any_expr(&mut self, d: u32) -> String {
        match self.rng.below(6) {
            0 => self.literal(),
            1 => self.access(d),
            2 => self.expr(Ty::Int, d),
            3 => self.expr(Ty::Num, d),
            4 => self.expr(Ty::Str, d),
            _ => self.expr(Ty::Bool, d),
        }
    }

    /// A key that is neither nil nor NaN.
    pub fn key(&mut self, d: u32) -> String {
        match self.rng.below(6) {
            0 => format!("\"{}\"", self.field()),
            1 => format!("S({})", self.expr(Ty::Any, d)),
            2 => format!("N({})", self.expr(Ty::Num, d)),
            3 => self.small(),
            4 => format!("({} & 7)", self.expr(Ty::Int, d)),
            _ => self.expr(Ty::Int, d),
        }
    }

    /// An element of a table.
    pub fn access(&mut self, d: u32) -> String {
        let t = paren(self.leaf(Ty::Tab));
        if self.rng.chance(50) {
            format!("{t}.{}", self.field())
        } else {
            format!("{t}[{}]", self.key(d))
        }
    }

    /// A call of a known function.
    fn call(&mut self, d: u32) -> String {
        let n = self.rng.below(2) as u8 + 1;
        match self.var(|v| v.ty == Ty::Fun(n)) {
            Some(f) => {
                let args: Vec<String> = (0..n).map(|_| self.expr(Ty::Num, d)).collect();
                format!("M({f}({}))", args.join(", "))
            }
            None => self.leaf(Ty::Num),
        }
    }

    fn str_list(&mut self, d: u32) -> String {
        let es: Vec<String> = (0..self.rng.below(4))
            .map(|_| {
                if self.rng.chance(50) {
                    self.expr(Ty::Str, d)
                } else {
                    format!("N({})", self.expr(Ty::Num, d))
                }
            })
            .collect();
        format!("{{{}}}", es.join(", "))
    }

    fn comparison(&mut self) -> &'static str {
        self.rng.pick(&["<", "<=", ">", ">=", "==", "~="])
    }
    fn small(&mut self) -> String {
        self.rng.range(0, 6).to_string()
    }
    fn index(&mut self) -> String {
        self.rng
            .pick(&[
                "1",
                "2",
                "3",
                "-1",
                "-2",
                "0",
                "10",
                "-10",
                "math.mininteger",
                "math.maxinteger",
            ])
            .into()
    }

    /// A pattern, now and then a malformed one.
    pub fn pattern(&mut self) -> String {
        let mut p = String::new();
        if self.rng.chance(15) {
            p.push('^');
        }
        let mut open = 0;
        for _ in 0..self.rng.range(1, 4) {
            if self.rng.chance(20) {
                p.push('(');
                open += 1;
            }
            p.push_str(self.rng.pick(&[
                "a", "b", "c", ".", "%a", "%d", "%s", "%w", "%p", "%A", "[abc]", "[^a]", "[a-c%d]",
                "[]x]", "%.", "%(", "1", "0", "()", "%bab", "%f[%w]", "%f[%W]", "%z", "%l", "%u",
                "[%a_]",
            ]));
            if self.rng.chance(45) {
                p.push(self.rng.pick(&['*', '+', '-', '?']));
            }
            if open > 0 && self.rng.chance(60) {
                p.push(')');
                open -= 1;
            }
        }
        for _ in 0..open {
            p.push(')');
        }
        if self.rng.chance(12) {
            p.push('$');
        }
        if self.rng.chance(4) {
            p.push_str(
                self.rng
                    .pick(&["%", "[a", "(", ")", "%1", "%b", "%f", "%9"]),
            );
        }
        format!("\"{p}\"")
    }
}

/// In parentheses unless it is a name.
fn paren(s: String) -> String {
    let name = s.bytes().all(|b| b.is_ascii_alphanumeric()) && !s.as_bytes()[0].is_ascii_digit();
    if name && !["nil", "true", "false"].contains(&s.as_str()) {
        s
    } else {
        format!("({s})")
    }
}
