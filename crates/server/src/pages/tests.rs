//! What holds for every page, in every language.

use super::{
    Lang,
    samples::{HOSTILE, all},
};

/// Every page as it is, and with something hostile in each text.
fn pages(mut check: impl FnMut(&str, &str)) {
    for lang in Lang::ALL {
        for (name, page) in all(lang, &str::to_owned) {
            check(&format!("{name} {}", lang.tag()), &page.unwrap());
        }
        for (name, page) in all(lang, &|text| format!("{text}{HOSTILE}")) {
            check(&format!("{name} {} hostile", lang.tag()), &page.unwrap());
        }
    }
}

/// The start tags of one name.
fn tags<'a>(page: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    page.split('<').filter_map(move |part| {
        let rest = part.strip_prefix(name)?;
        let is_whole = rest.starts_with([' ', '>', '\n', '/']);
        is_whole.then(|| rest.split('>').next().unwrap_or_default())
    })
}

/// An attribute's value.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split('"').next().unwrap_or_default())
}

#[test]
fn every_page_tells_its_language_and_has_one_heading() {
    pages(|name, page| {
        let lang = if name.contains(" de") { "de" } else { "en" };
        assert!(page.starts_with(&format!("<!doctype html>\n<html lang=\"{lang}\">")), "{name}");
        assert_eq!(tags(page, "h1").count(), 1, "{name}");
        assert_eq!(tags(page, "main").count(), 1, "{name}");
        assert!(
            !page.contains("<title> ") && !page.contains("href=\"\"") && !page.contains("src=\"\""),
            "{name}"
        );
    });
}

#[test]
fn nothing_gets_into_a_page_unescaped() {
    pages(|name, page| {
        assert!(!page.contains("<script>") && !page.contains("<img src=x"), "{name}");
        assert!(!page.contains("\"'>"), "{name}");
        assert!(!name.contains("hostile") || page.contains("&#60;script&#62;alert(1)"), "{name}");
    });
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    pages(|name, page| {
        assert_eq!(tags(page, "style").count(), 0, "{name}");
        assert!(!page.contains(" style="), "{name}");
        for tag in ["script", "link", "img", "iframe", "object", "embed"] {
            for found in tags(page, tag) {
                let url = attribute(found, "src").or(attribute(found, "href")).unwrap_or_default();
                assert!(
                    url.starts_with("/assets/") || tag == "img" && url.starts_with('/'),
                    "{name}: {found}"
                );
            }
        }
        for element in page.split('<').filter_map(|part| part.split('>').next()) {
            let mut names = element.split('"').step_by(2).flat_map(str::split_whitespace);
            let handler = names.find(|word| word.starts_with("on") && word.ends_with('='));
            assert_eq!(handler, None, "{name}: {element}");
        }
    });
}

#[test]
fn every_field_has_a_label_and_every_id_is_there_once() {
    pages(|name, page| {
        let ids: Vec<_> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for (place, id) in ids.iter().enumerate() {
            assert!(!ids[..place].contains(id), "{name}: the id {id} twice");
        }
        for tag in ["input", "select", "textarea"] {
            for found in tags(page, tag).filter(|tag| attribute(tag, "type") != Some("hidden")) {
                let label = attribute(found, "id").map(|id| format!("<label for=\"{id}\""));
                let labelled = label.is_some_and(|label| page.contains(&label))
                    || page.contains(&format!(
                        "<label class=\"check\" for=\"{}\"",
                        attribute(found, "id").unwrap_or("?")
                    ));
                assert!(labelled || attribute(found, "aria-label").is_some(), "{name}: no label for {found}");
            }
        }
        for reference in ["aria-describedby", "aria-labelledby"] {
            for value in
                page.split(&format!(" {reference}=\"")).skip(1).filter_map(|rest| rest.split('"').next())
            {
                for id in value.split(' ') {
                    assert!(ids.contains(&id), "{name}: nothing has the id {id}");
                }
            }
        }
    });
}

#[test]
fn every_form_that_changes_something_is_guarded() {
    pages(|name, page| {
        for form in page.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap_or_default();
            let tag = form.split('>').next().unwrap_or_default();
            match attribute(tag, "method") {
                Some("get") => assert!(!form.contains("name=\"csrf\""), "{name}: {tag}"),
                // Goes to the application, which must not learn a token of ours.
                Some("post") if tag.contains("data-form-post") => assert!(!form.contains("csrf"), "{name}"),
                Some("post") => assert_eq!(form.matches("name=\"csrf\"").count(), 1, "{name}: {tag}"),
                other => panic!("{name}: a form with the method {other:?}"),
            }
            assert!(attribute(tag, "action").is_some_and(|action| !action.is_empty()), "{name}: {tag}");
            let id = attribute(tag, "id").map(|id| format!("form=\"{id}\""));
            let is_sent = form.contains("<button") || id.is_some_and(|id| page.contains(&id));
            assert!(is_sent, "{name}: no way to send {tag}");
        }
    });
}
