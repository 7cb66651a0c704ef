/// Splits evcxr's commands, which come before all code, from the cell's code. The lines of the code stay
/// where they are.
pub fn without_commands(cell: &str) -> (String, String) {
    let (mut commands, mut code) = (String::new(), String::new());
    let mut in_code = false;
    for line in cell.split_inclusive('\n') {
        let text = line.trim();
        if !in_code && (text.starts_with(':') && !text.starts_with("::") || text.starts_with('!')) {
            commands.push_str(text);
            commands.push('\n');
            code.push('\n');
            continue;
        }
        in_code |= !(text.is_empty() || text.starts_with("//"));
        code.push_str(line);
    }
    (commands, code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_taken_off_and_the_code_keeps_its_lines() {
        let (commands, code) =
            without_commands("// first\n:dep a = \"1\"\n  :vars\nlet x = 1;\n::std::mem::drop(x);");
        assert_eq!(commands, ":dep a = \"1\"\n:vars\n");
        assert_eq!(code, "// first\n\n\nlet x = 1;\n::std::mem::drop(x);");
    }

    #[test]
    fn a_path_from_the_root_is_no_command() {
        assert_eq!(without_commands("::std::mem::drop(1)").0, "");
    }
}
