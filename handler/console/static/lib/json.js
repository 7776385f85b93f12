// JSON with every digit. JavaScript keeps about 16 digits of a number, and the tables keep 38.

/** A number with more digits than JavaScript keeps: a text that becomes the same number again in JSON. */
export class Digits {
  constructor(text) {
    this.text = text;
  }
  toString() {
    return this.text;
  }
  toJSON() {
    return JSON.rawJSON(this.text);
  }
}

const digits = (text) => text.replace(/e.*/i, "").replace(/[-.]/g, "").replace(/^0+|0+$/g, "");
const exact = (_, value, { source }) => (typeof value === "number" && digits(source) !== digits(String(value)) ? new Digits(source) : value);

/** The value of a JSON text, with Digits where the browser can write them, as all new ones do since 2025. */
export const readJson = (text) => (JSON.rawJSON && /(?:\d\.?){16}|\de/i.test(text) ? JSON.parse(text, exact) : JSON.parse(text));
