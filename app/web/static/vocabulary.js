// The vocabularies of this page: the names that data carries, as Python defines them; no script writes them down again.

const VOCABULARIES = JSON.parse(document.getElementById("vocabularies")?.textContent ?? "{}");

/** Name → `{label, icon, severity, …}` of a vocabulary, in its order and in the reader's language. */
export const names = (vocabulary) => VOCABULARIES[vocabulary].names;

/** The names of one group of a vocabulary, such as those that are over, in its order. */
export const group = (vocabulary, name) => VOCABULARIES[vocabulary].groups[name];
