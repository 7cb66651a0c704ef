#![allow(unused)]
let a = async { 1 }.await;
loop { break 'outer; }
