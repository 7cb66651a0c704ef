use std::collections::HashMap;
/// Doc.
#[derive(Debug)]
struct Trip<'a> { id: u64, name: &'a str }
impl Trip<'_> { fn len(&self) -> usize { self.name.len() } }
let trip = Trip { id: 1, name: "é" };
trip.len()
