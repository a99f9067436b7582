//! Lua as the configuration and scripting language of a Rust program.
//!
//! Run with `cargo run --release --example embed`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use traceorus::{
    Error, ErrorContext, ErrorKind, ExternalResult, Function, Lua, MetaMethod, Result, StdLib,
    UserData, UserDataFields, UserDataMethods, UserDataRef,
};

/// What the scripts may order.
#[derive(Debug, Default)]
struct Kitchen {
    orders: Vec<(String, u32)>,
}

/// Money, in hundredths: a type of ours that scripts calculate with.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Money(i64);

impl UserData for Money {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("cents", |_, this| Ok(this.0));
    }
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_function("new", |_, amount: f64| {
            Ok(Money((amount * 100.0).round() as i64))
        });
        methods.add_method_mut("add_tip", |_, this, percent: i64| {
            this.0 += this.0 * percent / 100;
            Ok(())
        });
        methods.add_meta_method(MetaMethod::Add, |_, this, other: UserDataRef<Money>| {
            Ok(Money(this.0 + other.0))
        });
        methods.add_meta_method(MetaMethod::Mul, |_, this, n: i64| Ok(Money(this.0 * n)));
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            Ok(format!("{}.{:02}", this.0 / 100, this.0 % 100))
        });
    }
}

fn main() -> Result<()> {
    // Scripts get the libraries that touch neither files nor processes, 8 MiB and 200 ms for each call.
    let lua = Lua::builder()
        .libraries(StdLib::PURE)
        .memory_limit(8 << 20)
        .time_limit(Duration::from_millis(200))
        .build();

    // Rust functions: arguments and results are converted, an `Err` becomes a Lua error.
    let kitchen = Rc::new(RefCell::new(Kitchen::default()));
    let k = kitchen.clone();
    lua.register("order", move |_, (dish, count): (String, Option<u32>)| {
        if dish.is_empty() {
            return Err(Error::runtime("nobody can cook that"));
        }
        let mut k = k.borrow_mut();
        k.orders.push((dish, count.unwrap_or(1)));
        Ok(k.orders.len())
    })?;

    // Values go in and out by name ...
    let globals = lua.globals();
    globals.set("guests", 4)?;
    lua.load(
        r#"
        order("soup", guests)
        order("bread")
        total = 0
        for _, price in ipairs { 450, 120, 80 } do total = total + price * guests end
        "#,
    )
    .exec()?;
    println!("orders: {:?}", kitchen.borrow().orders);
    println!("total:  {}", globals.get::<i64>("total")?);

    // ... and through tables and functions, which Rust holds by handles.
    let menu = lua.create_table_from([("soup", 4.5), ("pie", 6.0)])?;
    let cheapest = lua
        .load(
            r#"
            local menu, limit = ...
            local found = {}
            for dish, price in pairs(menu) do
                if price < limit then found[#found + 1] = dish end
            end
            table.sort(found)
            return table.concat(found, ", "), #found
            "#,
        )
        .into_function()?;
    let (dishes, n): (String, usize) = cheapest.call((&menu, 5))?;
    println!("under 5: {dishes} ({n})");
    for pair in menu.pairs::<String, f64>() {
        let (dish, price) = pair?;
        println!("menu: {dish} {price}");
    }

    // A Lua function as a callback.
    let discount: Function = lua.load("function(price) return price * 0.9 end").eval()?;
    println!("pie with discount: {}", discount.call::<f64>(6.0)?);

    // Types of ours, with fields, methods and operators.
    globals.set("Money", lua.create_proxy::<Money>()?)?;
    let bill: UserDataRef<Money> = lua
        .load(
            r#"
            local bill = Money.new(4.50) * guests + Money.new(1.20)
            bill:add_tip(10)
            print("bill: " .. tostring(bill) .. ", that is " .. bill.cents .. " cents")
            return bill
            "#,
        )
        .eval()?;
    assert_eq!(*bill, Money(2112));

    // Functions that borrow from this one, for the time of a scope.
    let mut log = Vec::new();
    lua.scope(|scope| {
        let f = scope.create_function_mut(|_, line: String| {
            log.push(line);
            Ok(())
        })?;
        lua.load("local log = ... for i = 1, 3 do log('line ' .. i) end")
            .call::<()>(f)
    })?;
    println!("log: {log:?}");

    // Errors of Rust pass through Lua code and come out as they were.
    lua.register("parse", |_, s: String| {
        s.parse::<u16>().into_lua_err().context("reading a price")
    })?;
    let e = lua
        .load("local ok, e = pcall(parse, 'cheap') error(e)")
        .exec()
        .unwrap_err();
    println!("error: {e}");
    assert!(e.downcast_ref::<std::num::ParseIntError>().is_some());

    // Errors come with a traceback, and the limits hold; the state stays usable.
    let e = lua
        .load("local function f() order('') end f()")
        .set_name("=script")
        .exec()
        .unwrap_err();
    println!("error: {e}\n{}", e.traceback().unwrap_or(""));
    let e = lua.load("while true do end").exec().unwrap_err();
    println!("error: {e}");
    let e = lua
        .load("local s = 'x' while true do s = s .. s end")
        .exec()
        .unwrap_err();
    println!("error: {e}");
    assert_eq!(e.kind(), ErrorKind::Memory);
    println!("still here: {}", globals.get::<String>("_VERSION")?);
    Ok(())
}
