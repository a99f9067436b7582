//! Lua as the configuration and scripting language of a Rust program.
//!
//! Run with `cargo run --release --example embed`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use traceorus::{ErrorKind, Libraries, Result, Runtime, Value};

/// What the scripts may order.
#[derive(Debug, Default)]
struct Kitchen {
    orders: Vec<(String, u32)>,
}

fn main() -> Result<()> {
    // Scripts get the libraries that touch neither files nor processes, 8 MiB and 200 ms for each call.
    let lua = Runtime::builder()
        .libraries(Libraries::PURE)
        .memory_limit(8 << 20)
        .time_limit(Duration::from_millis(200))
        .build();

    // Rust functions: arguments and results are converted, an `Err` becomes a Lua error.
    let kitchen = Rc::new(RefCell::new(Kitchen::default()));
    let k = kitchen.clone();
    lua.register("order", move |(dish, count): (String, Option<u32>)| {
        if dish.is_empty() {
            return Err("nobody can cook that");
        }
        let mut k = k.borrow_mut();
        k.orders.push((dish, count.unwrap_or(1)));
        Ok(k.orders.len())
    })?;

    // Values go in and out by name ...
    lua.set("guests", 4)?;
    lua.eval::<()>(
        r#"
        order("soup", guests)
        order("bread")
        total = 0
        for _, price in ipairs { 450, 120, 80 } do total = total + price * guests end
        "#,
    )?;
    println!("orders: {:?}", kitchen.borrow().orders);
    println!("total:  {}", lua.get::<i64>("total")?);

    // ... and through tables and functions, which Rust holds by handles.
    let menu = lua.create_table()?;
    menu.set("soup", 4.5)?;
    menu.set("pie", 6.0)?;
    let cheapest = lua.load(
        r#"
        local menu, limit = ...
        local found = {}
        for dish, price in pairs(menu) do
            if price < limit then found[#found + 1] = dish end
        end
        table.sort(found)
        return table.concat(found, ", "), #found
        "#,
        "=cheapest",
    )?;
    let (dishes, n): (String, usize) = cheapest.call((&menu, 5))?;
    println!("under 5: {dishes} ({n})");

    // A Lua function as a callback.
    let discount =
        lua.eval::<traceorus::Function>("return function(price) return price * 0.9 end")?;
    println!("pie with discount: {}", discount.call::<f64>(6.0)?);

    // Errors come with a traceback, and the limits hold; the runtime stays usable.
    let e = lua
        .eval::<Value>("local function f() order('') end f()")
        .unwrap_err();
    println!("error: {e}\n{}", e.traceback().unwrap_or(""));
    let e = lua.eval::<Value>("while true do end").unwrap_err();
    println!("error: {e}");
    let e = lua
        .eval::<Value>("local s = 'x' while true do s = s .. s end")
        .unwrap_err();
    println!("error: {e}");
    assert_eq!(e.kind(), ErrorKind::Memory);
    println!("still here: {}", lua.eval::<String>("return _VERSION")?);
    Ok(())
}
