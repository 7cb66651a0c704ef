use super::*;

#[test]
fn a_slider_stays_within_its_range() {
    assert_eq!(slider("n", 1..=64).at(100).get(), 64);
    assert_eq!(slider("n", 1..=64).at(0).get(), 1);
    let slider = slider("n", -1.0..=1.0).at(f64::NAN);
    assert_eq!(slider.get(), -1.0);
    assert_eq!((slider.bounds())(7.0), 1.0);
}

#[test]
fn controls_say_what_they_are_set_to() {
    let controls =
        (slider("n", 1..=4).at(3), dropdown("how", ["hash", "range"]).at(9), toggle("cached", true));
    assert_eq!(controls.values(), (3, "range", true));
    let said: Vec<String> = controls.parts().iter().map(|part| part.describe()).collect();
    assert_eq!(said, ["n = 3", "how = range", "cached = true"]);
    // Without a page there is nothing to set and nothing to open.
    assert_eq!(controls.0.mime_bundle(), MimeBundle::text("n = 3"));
}

#[test]
#[should_panic(expected = "the dropdown \"how\" has no choices")]
fn a_dropdown_without_choices_is_refused_by_name() {
    dropdown("how", [""; 0]);
}
