//! Limits of the language and of the encoding, and sources of unusual size and shape.

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::chunk::{Chunk, Function};
use traceorus_lang_common::chunk_check;
use traceorus_lang_lua::{compile, compile_nested};

fn made(source: &str) -> Chunk {
    let chunk = compile(source.as_bytes(), b"=in").unwrap_or_else(|e| panic!("{e}"));
    chunk_check(&chunk).unwrap_or_else(|e| panic!("{e}"));
    chunk
}

fn message(source: &str) -> String {
    match compile(source.as_bytes(), b"=in") {
        Ok(_) => "OK".into(),
        Err(e) => e.to_string(),
    }
}

fn names(prefix: &str, n: usize) -> String {
    (0..n)
        .map(|i| format!("{prefix}{i}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn count(f: &Function, op: Op) -> usize {
    f.instructions().filter(|&(_, o)| o == op).count()
}

#[test]
fn levels_of_nesting() {
    // As many as PUC's `load` accepts when a script calls it.
    for (open, inner, close, most) in [
        ("(", "1", ")", 195),
        ("- ", "1", "", 195),
        ("{", "", "}", 196),
        ("a..", "a", "", 195),
        ("2^", "1", "", 195),
        ("not ", "1", "", 195),
        ("function() return ", "1", " end", 97),
    ] {
        let source = |n: usize| format!("return {}{inner}{}", open.repeat(n), close.repeat(n));
        made(&source(most));
        assert_eq!(message(&source(most + 1)), "C stack overflow", "{open}");
        assert_eq!(message(&source(100_000)), "C stack overflow", "{open}");
    }
    for (open, close, most) in [
        ("do ", " end ", 197),
        ("while a do ", " end ", 196),
        ("if a then ", " end ", 196),
    ] {
        let source = |n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
        made(&source(most));
        assert_eq!(message(&source(most + 1)), "C stack overflow", "{open}");
    }
    assert_eq!(
        message(&format!("a{} = 1", ", a".repeat(300))),
        "C stack overflow"
    );
    let error = compile_nested(b"do end", b"=in", 199).expect_err("no levels left");
    assert!(error.overflow && !error.at_eof);
}

#[test]
fn variables() {
    let main = made(&format!("local {}", names("a", 200)));
    assert_eq!(main.main.frame_size, 200);
    assert_eq!(
        message(&format!("local {}\nlocal b", names("a", 200))),
        "in:2: too many local variables (limit is 200) in main function near <eof>"
    );
    assert_eq!(
        message(&format!(
            "\nfunction f()\nlocal {}\nlocal b, c\nend",
            names("a", 199)
        )),
        "in:5: too many local variables (limit is 200) in function at line 2 near 'end'"
    );
    // The hidden variables of loops count.
    assert_eq!(
        message(&format!("local {}\nfor i = 1, 2 do end", names("a", 197))),
        "in:2: too many local variables (limit is 200) in main function near '='"
    );
    made(&format!("local {}\nfor i = 1, 2 do end", names("a", 196)));
}

#[test]
fn upvalues() {
    let source = |n: usize| {
        format!(
            "local {}\nfunction f()\nlocal {}\nreturn function()\nreturn {} + {} end end",
            names("a", n),
            names("b", 127),
            names("a", n).replace(',', " +"),
            names("b", 127).replace(',', " +")
        )
    };
    let chunk = made(&source(128));
    assert_eq!(chunk.main.functions[0].functions[0].upvals.len(), 255);
    assert_eq!(
        message(&source(129)),
        "in:5: too many upvalues (limit is 255) in function at line 4 near 'end'"
    );
}

#[test]
fn registers() {
    assert_eq!(
        message(&format!("a = f(x{})", ",x".repeat(260))),
        "in:1: function or expression needs too many registers near 'x'"
    );
    assert_eq!(
        message(&format!("return {}b", "a,\n".repeat(300))),
        "in:252: function or expression needs too many registers near 'a'"
    );
    let locals = names("a", 190);
    assert_eq!(
        message(&format!(
            "local {locals}\nfunction g() end f({}1)",
            "1,".repeat(70)
        )),
        "in:2: function or expression needs too many registers near '1'"
    );
    made(&format!("local {locals}\nf({}1)", "1,".repeat(55)));
    // Does not fit as a record, but as single stores.
    let fields: String = (0..32).map(|i| format!("k{i} = {i}, ")).collect();
    let chunk = made(&format!(
        "local {}\nlocal t = {{{fields}}}",
        names("a", 190)
    ));
    assert_eq!(
        (
            count(&chunk.main, Op::NewRecord),
            count(&chunk.main, Op::SetField)
        ),
        (0, 32)
    );
}

#[test]
fn long_jumps() {
    let body = " t[i] = t[i] + i * x.y\n".repeat(9_000);
    let chunk = made(&format!(
        "local t, x = {{}}, {{}}
         for i = 1, 10 do if x == 1 or x == 'a' then {body} elseif x < 2 and t then {body} end end
         for i = 1, 10 do local f = function() return i end {body} end
         while t do {body} if not t then break end end
         repeat {body} local z = t and (function() {body} end) or 5 until z
         for k, v in pairs(t) do {body} end
         local q = t and x.y(t[1], {{function() {body} end}}) or x
         ::top:: {body} goto top"
    ));
    // An integer loop whose body is too long jumps back to a trampoline.
    let f = &chunk.main;
    let (pc, _) = f
        .instructions()
        .find(|&(_, op)| op == Op::ForLoop)
        .expect("a loop");
    assert_eq!(bc::jump16(f.code[pc]), -2);
    assert_eq!(bc::op_field(f.code[pc - 1]), Op::Loop as u16);
    assert_eq!(bc::op_field(f.code[pc - 2]), Op::Jmp as u16);
    let top = pc as i64 + bc::jump32(f.code[pc - 1]);
    let (prep, _) = f
        .instructions()
        .find(|&(_, op)| op == Op::ForPrep)
        .expect("a loop");
    assert_eq!(top, prep as i64 + 1);

    // A value that is skipped over: `a and (long) or b` in one expression.
    let sum: Vec<String> = (0..9000).map(|i| format!("f(a[{i}])")).collect();
    let chunk = made(&format!(
        "local a, f = g()\na = a and f({}) or 3",
        sum.join(" + ")
    ));
    assert!(chunk.main.code.len() > 32_768);
}

#[test]
fn many_constants() {
    let uses: String = (0..70_000)
        .map(|i| format!("x.n{i} = \"s{i}\" .. {}.5 .. {}\n", i, i + 40_000))
        .collect();
    let chunk = made(&uses);
    assert!(chunk.main.consts.len() > 200_000);
}

#[test]
fn large_constructors() {
    let items: String = (0..1_000_000).map(|i| format!("{i},")).collect();
    let chunk = made(&format!("local t = {{{items}}} return #t"));
    assert_eq!(count(&chunk.main, Op::SetList), 20_000);
    assert_eq!(chunk.main.code[1], 1_000_000);
    let items: String = (0..100_000).map(|i| format!("x{i} = {i},")).collect();
    let chunk = made(&format!("local t = {{{items}}}"));
    assert_eq!(chunk.main.code[1], 100_000 << 32);
}

#[test]
fn chains_of_any_length() {
    let n = 40_000;
    for link in [
        " + a",
        ".x",
        "[a]",
        "()",
        ":m()",
        " == a",
        " < a",
        " and a",
        " or a",
        " and a == 3 or a.x",
    ] {
        let chain = format!("a{}", link.repeat(n));
        made(&format!(
            "local a\nlocal b = {chain}\nif not ({chain}) then f({chain}) end"
        ));
    }
    made(
        &"goto a ::a:: do local a = f() end "
            .replace("::a::", "")
            .replace("goto a", "")
            .repeat(n),
    );
    made(&"if a then elseif b then end ".repeat(n / 10));
    made(&format!(
        "if a then {} else end",
        "elseif b then c() ".repeat(n)
    ));
}

#[test]
fn long_keys() {
    let key = "k".repeat(41);
    let chunk = made(&format!(
        "local t = {{{key} = 1}} {key} = t.{key} t.{key} = {key} t:{key}() _ENV.{key}() function t.a.{key}() end"
    ));
    for op in [
        Op::NewRecord,
        Op::GetField,
        Op::SetField,
        Op::GetGlobal,
        Op::SetGlobal,
        Op::SelfGet,
    ] {
        let expected = usize::from(op == Op::GetField); // `t.a`
        assert_eq!(count(&chunk.main, op), expected, "{op:?}");
    }
    let key = "k".repeat(40);
    let chunk = made(&format!(
        "local t = {{{key} = 1}} {key} = t.{key} t:{key}()"
    ));
    assert_eq!(count(&chunk.main, Op::NewRecord), 1);
    assert_eq!(count(&chunk.main, Op::SelfGet), 1);
}

#[test]
fn end_of_input() {
    for source in [
        "x =",
        "if a then",
        "f(",
        "x = [[",
        "--[[",
        "x = 'a\\z ",
        "local function f()",
        "do",
        "for i = 1,",
    ] {
        let e = compile(source.as_bytes(), b"=stdin").expect_err(source);
        assert!(e.at_eof, "{source}: {e}");
    }
    for source in ["x = )", "x = 'a\n", "1", "goto x", "x = 3x", "break"] {
        let e = compile(source.as_bytes(), b"=stdin").expect_err(source);
        assert!(!e.at_eof, "{source}: {e}");
    }
}
