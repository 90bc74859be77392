// An element with its attributes and what is in it. Text is text, never markup.
export const element = (name, attributes, ...content) => filled(document.createElement(name), attributes, content);

// The same of a drawing.
export const vector = (name, attributes, ...content) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, content);

function filled(made, attributes = {}, content) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...content.flat().filter((each) => each !== null && each !== undefined && each !== ""));
  return made;
}
