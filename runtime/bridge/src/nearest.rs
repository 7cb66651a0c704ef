/// The name that `word` probably stands for, if one is close enough.
///
/// ```
/// use partita_bridge::nearest;
/// assert_eq!(nearest("trip", ["zones", "trips"]), Some("trips"));
/// assert_eq!(nearest("qiut", ["help", "quit"]), Some("quit"));
/// assert_eq!(nearest("weather", ["zones", "trips"]), None);
/// ```
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&folded, &name.to_lowercase());
    // A third of the letters may differ, and always at least one.
    let most = (word.chars().count() / 3).max(1);
    let (far, name) = names.into_iter().map(|name| (distance(name), name)).min()?;
    // A name that differs in every letter is not a typing error.
    (far <= most && far < word.chars().count().max(name.chars().count())).then_some(name)
}
