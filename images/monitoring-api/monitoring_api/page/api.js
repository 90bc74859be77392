// Asks the Monitoring API. Addresses are relative: the page works below any path.
const KEY = "monitoring-api-token";

export class Refusal extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

export function token(value) {
  if (value !== undefined) sessionStorage.setItem(KEY, value);
  return sessionStorage.getItem(KEY) ?? "";
}

export async function ask(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries(parameters)) {
    for (const value of [values].flat()) query.append(name, value);
  }
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  // A back-end has 5 s for its answer; the API itself must not be waited for longer.
  const signal = AbortSignal.timeout(8000);
  let answer;
  try {
    answer = await fetch(`api/v1/${path}?${query}`, { headers, signal });
  } catch {
    throw new Refusal(0, "");
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refusal(answer.status, content.reason ?? answer.statusText);
  return content;
}
