// A table that scrolls. Of a long one there are only the rows that are looked at, and some on either side.
import { element } from "./dom.js";

const LONG = 200; // rows that a browser lays out without effort
const SPARE = 20; // rows beyond the edge, so that scrolling shows no gap
const ROW_REM = 1.9; // as high as page.css makes a row of a long table
const PLACE_REM = 26; // and at most what scrolls

// `cells` makes those of a row; `longest` is a row with the longest text of each column, so that none changes its width.
export function listed(title, head, rows, cells, longest) {
  const body = element("tbody");
  const long = rows.length > LONG;
  const place = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
    element("table", long ? { class: "long", "aria-rowcount": rows.length + 1 } : {}, head, body));
  if (!long) {
    body.append(...rows.map((row) => element("tr", {}, cells(row))));
    return place;
  }
  const [above, below] = [space(), space()];
  const widths = element("tr", { class: "widths", "aria-hidden": "true" }, cells(longest));
  const height = ROW_REM * parseFloat(getComputedStyle(document.documentElement).fontSize);
  let first = -SPARE;
  const draw = () => {
    const from = Math.max(0, Math.floor(place.scrollTop / height) - SPARE);
    if (Math.abs(from - first) < SPARE / 2) return;
    first = from;
    const until = Math.min(rows.length, from + Math.ceil(PLACE_REM / ROW_REM) + 2 * SPARE);
    above.style.setProperty("--height", `${from * height}px`);
    below.style.setProperty("--height", `${(rows.length - until) * height}px`);
    body.replaceChildren(widths, above,
      ...rows.slice(from, until).map((row, number) => element("tr", { "aria-rowindex": from + number + 2 }, cells(row))), below);
  };
  place.addEventListener("scroll", draw, { passive: true });
  draw();
  return place;
}

const space = () => element("tr", { class: "space", "aria-hidden": "true" }, element("td"));
