// Orders to this driver: newest on top, one big button.

import { Aim } from "../aim.js";
import { api } from "../api.js";
import { sound } from "./alarm.js";
import { formatClock, language, t } from "../i18n.js";
import { released } from "../swap.js";
import { toast } from "../toasts.js";
import { group, names } from "../vocabulary.js";

const KINDS = names("OrderKind");
const STATUSES = names("RecipientStatus");
const OVER = group("RecipientStatus", "over");
const REASONS = ["Broken down", "Driving time is over", "Road is blocked", "Goods would spoil"];

export class Orders {
  /** `box` shows the orders, `dialog` asks for the reason of a refusal. */
  constructor(box, dialog) {
    this.box = box;
    this.dialog = dialog;
    this.known = null;
    this.wanted = 0;
    this.aim = new Aim(box, "button");
  }

  /** Fetch and show the orders that stand; fetching is what tells the police that they arrived. */
  async refresh() {
    const turn = ++this.wanted;
    let items;
    try {
      items = (await api("GET", "/api/v1/orders?current=true")).items;
    } catch {
      return; // the banner tells that the line is down; what was shown stays
    }
    await released();
    if (turn !== this.wanted) return;
    if (this.known && items.some((order) => !this.known.has(order.order_id))) this.alert();
    this.known = new Set(items.map((order) => order.order_id));
    this.aim.remember(); // a new order pushes the others down
    this.box.replaceChildren(...items.map((order) => this.card(order)));
  }

  alert() {
    toast(t("New order from the traffic police"), "warning");
    sound();
  }

  card(order) {
    const mine = order.recipients?.[0] || { status: order.status };
    const isOver = OVER.includes(mine.status);
    const { icon: statusIcon, driver_label: status } = STATUSES[mine.status] ?? {};
    const { driver_label: label, icon } = KINDS[order.kind];
    const card = element("article", { class: `dr-order ${isOver ? "over" : mine.status}`, "data-testid": `order-${order.order_id}`, "data-status": mine.status });
    const heading = element("h2");
    heading.append(element("i", { class: `ti ti-${icon}`, "aria-hidden": "true" }), label);
    const until = element("p", { class: "ck-muted" }, t("valid until {time}", { time: formatClock(order.valid_to) }));
    card.append(heading, element("p", { class: "text" }, order.text[language] || order.text.vi), until);
    if (isOver) card.append(answer("ban", status));
    else if (mine.status === "acknowledged") card.append(answer(statusIcon, `${status} · ${formatClock(mine.responded_at)}`));
    else if (mine.status === "refused") card.append(answer(statusIcon, `${status}: ${mine.refusal_reason}`));
    else card.append(this.confirmButton(order), this.refuseButton(order));
    return card;
  }

  confirmButton(order) {
    const button = element("button", { type: "button", class: "btn btn-success confirm", "data-testid": "confirm", "data-order": order.order_id });
    button.append(element("i", { class: "ti ti-check", "aria-hidden": "true" }), t("Confirm"));
    button.addEventListener("click", () => this.respond(button, order, "acknowledge", undefined, "Order confirmed."));
    return button;
  }

  refuseButton(order) {
    const button = element("button", { type: "button", class: "btn refuse", "data-testid": "refuse", "data-order": order.order_id }, t("Refuse"));
    button.addEventListener("click", () => this.askReason(button, order));
    return button;
  }

  askReason(button, order) {
    const send = (reason) => {
      this.dialog.close();
      if (reason) this.respond(button, order, "refuse", { reason }, "Refusal sent.");
    };
    const choices = REASONS.map((reason) => {
      const choice = element("button", { type: "button", class: "btn" }, t(reason));
      choice.addEventListener("click", () => send(t(reason)));
      return choice;
    });
    const other = element("input", { class: "form-control mt-2", maxlength: "300", placeholder: t("Other reason"), "aria-label": t("Other reason") });
    const sendOther = element("button", { type: "button", class: "btn btn-primary" }, t("Send"));
    sendOther.addEventListener("click", () => send(other.value.trim()));
    const cancel = element("button", { type: "button", class: "btn" }, t("Cancel"));
    cancel.addEventListener("click", () => this.dialog.close());
    const title = element("h2", { id: "refusal-title" }, t("Why can you not follow it?"));
    this.dialog.replaceChildren(title, ...choices, other, sendOther, cancel);
    this.dialog.showModal();
  }

  async respond(button, order, act, body, done) {
    for (const one of button.parentElement.querySelectorAll("button")) one.disabled = true;
    try {
      await api("POST", `/api/v1/orders/${order.order_id}/${act}`, body);
      toast(t(done), "success");
    } catch (error) {
      toast(t("The order could not be answered: {reason}", { reason: error.message }), "danger");
      for (const one of button.parentElement?.querySelectorAll("button") || []) one.disabled = false;
    }
    await this.refresh();
  }
}

function answer(icon, text) {
  const line = element("p", { class: "answer" });
  line.append(element("i", { class: `ti ti-${icon}`, "aria-hidden": "true" }), text);
  return line;
}

function element(tag, attributes = {}, text = "") {
  const one = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  if (text) one.textContent = text;
  return one;
}
