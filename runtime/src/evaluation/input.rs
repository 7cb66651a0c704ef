/// Takes the line that a cell waits for.
pub(super) fn answer(_line: Result<String, String>) {}
