// A shopper with CoCart's published client: store, cart, checkout. What came back goes to stdout.
import { createRequire } from "node:module";

const [, , folder, settings] = process.argv;
const { url, port, key, secret, header, served } = JSON.parse(settings);
const CoCartAPI = createRequire(`${folder}/`)("@cocart/cocart-rest-api").default;

let cartKey = "";
function client() {
  return new CoCartAPI({
    url,
    port,
    version: "cocart/v2",
    timeout: 20000,
    // Headers given here take the place of the client's own.
    axiosConfig: cartKey
      ? { headers: { Accept: "application/json", "Content-Type": "application/json", [header]: cartKey } }
      : {},
  });
}

async function ask(verb, ...what) {
  try {
    const answer = await client()[verb](...what);
    cartKey = answer.headers[header.toLowerCase()] || cartKey;
    return { status: answer.status, body: answer.data };
  } catch (error) {
    if (!error.response) throw error;
    return { status: error.response.status, body: error.response.data };
  }
}

// Over plain HTTP the client sends no credentials by itself.
const keys = { consumer_key: key, consumer_secret: secret };
const told = {};
for (const route of served) told[route] = await ask("get", route);
told.added = await ask("post", "cart/add-item", { id: "1", quantity: "2" });
const item = told.added.body.items[0].item_key;
told.read = await ask("get", "cart");
told.fewer = await ask("get", "cart", { _fields: "item_count,cart_key" });
told.changed = await ask("post", `cart/item/${item}`, { quantity: "5" });
told.removed = await ask("delete", `cart/item/${item}`);
told.restored = await ask("put", `cart/item/${item}`, {});
told.counted = await ask("get", "cart/items/count");
told.updated = await ask("put", "checkout", {
  billing_address: JSON.parse(process.env.BILLING),
  payment_method: "bacs",
}, keys);
told.checkout = await ask("get", "checkout", keys);
told.ordered = await ask("post", "checkout", {}, keys);
told.wrong = await ask("post", "cart/add-item", { id: "987654" });
told.cartKey = cartKey;
process.stdout.write(JSON.stringify(told));
