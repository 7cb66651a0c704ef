let s = r#"a " b"#; let c = '\''; let b = b"\xff"; // é
/* nested /* comment */ */ s.len() as f64 * 1e-3
