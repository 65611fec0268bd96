// Requests. Addresses are relative, so the dashboard works below any path.

async function answer(response) {
  let value;
  try {
    value = await response.json();
  } catch {
    throw new Error("the answer is not JSON: status " + response.status);
  }
  if (!response.ok) {
    const err = new Error(value.error ?? "status " + response.status);
    err.status = response.status;
    throw err;
  }
  return value;
}

export async function get(name, params, signal) {
  const query = new URLSearchParams(params ?? {}).toString();
  return answer(await fetch("api/" + name + (query ? "?" + query : ""), { cache: "no-store", signal }));
}

export async function post(name, arg) {
  return answer(await fetch("api/" + name, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(arg),
  }));
}
