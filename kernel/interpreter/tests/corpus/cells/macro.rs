macro_rules! twice { ($e:expr) => { $e + $e } }
println!("{}", twice!(2));
df!["a" => [1, 2, 3]]?
