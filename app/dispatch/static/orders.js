// Orders: who has received, confirmed and followed them, live.

import { html, nothing } from "lit";
import { api } from "/static/api.js";
import { formatClock, formatNumber, t } from "/static/i18n.js";
import { toast } from "/static/toasts.js";
import { group, names } from "/static/vocabulary.js";
import { percent, span } from "./advice-text.js";
import { ConsoleElement, inLanguage } from "./element.js";
import { KINDS, describeSelection } from "./order-kinds.js";
import "/static/measures/effect.js";

const STATUSES = names("RecipientStatus");
const PROGRESS = group("RecipientStatus", "progress");
const ORDER_STATUSES = names("OrderStatus");
const REACH = names("ReachState");

/** How many got it, in which status, and which share of those judged by GPS complied (null: none judged yet). */
function countsOf({ counts, compliance }) {
  const judged = compliance.complied + compliance.not_complied;
  return { total: counts.total, status: counts, complied: compliance.complied, judged, share: judged ? compliance.complied / judged : null };
}

class PoliceOrders extends ConsoleElement {
  static properties = { ...ConsoleElement.properties, openId: { state: true }, detail: { state: true }, cancelling: { state: true }, busy: { state: true } };

  show(orderId) {
    this.openId = orderId;
    this.detail = null;
    this.loadDetail();
  }

  async loadDetail() {
    const id = this.openId;
    if (!id) return;
    try {
      const [detail, brought] = await Promise.all([
        api("GET", `/api/v1/orders/${id}`), api("GET", `/api/v1/measures/effects?order_id=${id}`),
      ]);
      const kind = detail.status === "cancelled" ? "recall" : "order";
      const reach = await api("GET", `/api/v1/orders/${id}/reach?kind=${kind}`).catch(() => ({ items: [] })); // not every role may see it
      if (id === this.openId) this.detail = { ...detail, brought, reach: reach.items };
    } catch (error) {
      toast(error.message, "danger");
    }
  }

  updated(changed) {
    super.updated(changed);
    if (this.store && this.seenOrders !== this.store.orders) {
      this.seenOrders = this.store.orders;
      if (this.openId) this.loadDetail();
    }
  }

  render() {
    if (!this.store) return nothing;
    const problem = this.store.problemText("orders");
    const { orders } = this.store;
    return html`<section aria-labelledby="orders-title" data-testid="orders-list">
      <h2 id="orders-title">${t("Orders")}</h2>
      ${problem ? html`<p class="ck-problem" role="alert">${problem}</p>` : nothing}
      ${!orders && !problem ? html`<p class="ck-muted">${t("Loading…")}</p>` : nothing}
      ${orders && !orders.length ? html`<div class="ck-empty ck-empty-small" data-testid="orders-empty"><p>${t("No order has been sent yet.")}</p>
        <button type="button" class="btn btn-primary ck-act" @click=${() => this.console.compose({})}>${t("Write an order")}</button></div>` : nothing}
      ${(orders || []).map((order) => this.renderOrder(order))}
    </section>`;
  }

  renderOrder(order) {
    const kind = KINDS[order.kind];
    const counts = countsOf(order);
    const isOpen = this.openId === order.order_id;
    const answered = counts.status.acknowledged || 0;
    return html`<article class=${`ck-order ck-order-${order.status}`} data-testid=${`order-${order.order_id}`}>
      <button type="button" class="ck-order-head" aria-expanded=${isOpen} @click=${() => (isOpen ? this.close() : this.show(order.order_id))}>
        <i class=${`ti ti-${kind.icon}`} aria-hidden="true"></i>
        <span><b>${kind.label}</b> ${describeSelection(order.selection, this.console)}
          <small>${span(order.valid_from, order.valid_to)} · ${ORDER_STATUSES[order.status].label}</small></span>
        <span class="ck-order-share" data-testid=${`order-${order.order_id}-acknowledged`}>${answered}/${counts.total}<small>${t("confirmed")}</small></span>
      </button>
      ${this.renderBar(counts)}
      ${order.status === "proposed" ? this.renderProposal(order, counts) : this.renderProgress(order, counts)}
      ${isOpen ? this.renderDetail(order, counts) : nothing}
    </article>`;
  }

  renderBar({ total, status }) {
    if (!total) return nothing;
    return html`<span class="ck-progress" aria-hidden="true">${PROGRESS.map((key) =>
      (status[key] ? html`<span class=${`ck-progress-${key}`} .style=${`flex:${status[key]}`}></span>` : nothing))}</span>`;
  }

  /** An order to many trucks waits for a second person, who can try it in the engine first. */
  renderProposal(order, { total }) {
    const { kind, selection, parameters, text, valid_to } = order;
    return html`<div class="ck-proposal ck-severity ck-severity-warning" data-testid=${`order-${order.order_id}-proposal`}>
      <p><i class="ti ti-users" aria-hidden="true"></i> <b>${t("Waits for a second person: {name} wants to order {count} trucks.", { name: order.issued_by, count: formatNumber(total) })}</b></p>
      <order-effect .draft=${{ kind, selection, parameters, text, valid_to }}></order-effect>
      <footer><button type="button" class="btn btn-sm btn-primary ck-act" data-testid=${`order-${order.order_id}-approve`} ?disabled=${this.busy}
          @click=${() => this.act(() => this.console.approveOrder(order), t("The order is released."))}><i class="ti ti-check" aria-hidden="true"></i> ${t("Release it")}</button>
        <button type="button" class="btn btn-sm ck-act" data-testid=${`order-${order.order_id}-reject`} ?disabled=${this.busy}
          @click=${() => this.act(() => this.console.cancelOrder(order), t("The order is cancelled."))}><i class="ti ti-x" aria-hidden="true"></i> ${t("Do not send it")}</button></footer>
    </div>`;
  }

  /** How far a release in groups has come, with the one press that stops it; how far a recall has come. */
  renderProgress(order, { total, status }) {
    const id = order.order_id;
    if (order.status === "active" && status.waiting) {
      return html`<div class="ck-proposal" data-testid=${`order-${id}-groups`}><p><i class="ti ti-stack-push" aria-hidden="true"></i>
          ${t("{told} of {count} trucks told, group by group", { told: formatNumber(total - status.waiting), count: formatNumber(total) })}</p>
        <button type="button" class="btn btn-danger ck-act" data-testid=${`order-${id}-stop`} ?disabled=${this.busy}
          @click=${() => this.act(() => this.console.cancelOrder(order), t("Stopped: nobody else is told, and those who were are told that it is over."))}>
          <i class="ti ti-hand-stop" aria-hidden="true"></i> ${t("Stop now")}</button></div>`;
    }
    if (!order.recall) return nothing;
    return html`<p class="ck-proposal" data-testid=${`order-${id}-recall`}><i class="ti ti-ban" aria-hidden="true"></i>
      ${t("{confirmed} had confirmed, {read} of {reached} have read the recall", order.recall)}</p>`;
  }

  async act(change, done) {
    this.busy = true;
    try {
      await change();
      toast(done, "success");
    } catch (error) {
      toast(error.message, "danger");
    } finally {
      this.busy = false;
      this.store.load("orders");
    }
  }

  close() {
    this.openId = null;
    this.detail = null;
    this.console.mark([]);
  }

  renderDetail(order, counts) {
    const detail = this.detail?.order_id === order.order_id ? this.detail : null;
    const recipients = detail?.recipients || [];
    const refused = recipients.filter(({ status }) => status === "refused");
    return html`<div class="ck-order-detail">
      <p class="ck-order-text">${inLanguage(order.text)}</p>
      <ul class="ck-order-counts">${Object.keys(STATUSES).filter((key) => counts.status[key]).map((key) => html`<li data-testid=${`order-${order.order_id}-count-${key}`}
        class=${`ck-count-${key}`}><i class=${`ti ti-${STATUSES[key].icon}`} aria-hidden="true"></i> <b>${formatNumber(counts.status[key])}</b> ${STATUSES[key].label}</li>`)}</ul>
      ${order.kind === "notice" ? nothing : html`<p data-testid=${`order-${order.order_id}-compliance`}><i class="ti ti-route" aria-hidden="true"></i> ${counts.share == null
        ? t("Compliance: not yet known from GPS")
        : t("Compliance by GPS: {share} ({complied} of {judged})", { share: percent(counts.share), complied: counts.complied, judged: counts.judged })}</p>`}
      ${(detail?.brought.items ?? []).map((one) => html`<p data-testid=${`order-${order.order_id}-effect`}><i class="ti ti-scale" aria-hidden="true"></i> ${one.text}</p>`)}
      ${this.renderReach(order, detail?.reach ?? [])}
      ${refused.length ? html`<h4>${t("Refusals")}</h4><ul class="ck-refusals" data-testid=${`order-${order.order_id}-refusals`}>
        ${refused.map((one) => html`<li><button type="button" class="ck-plate" @click=${() => this.console.showTruck(one.vehicle_id)}>${one.plate}</button>
          ${one.refusal_reason || t("no reason given")}</li>`)}</ul>` : nothing}
      ${recipients.length ? html`<details><summary>${t("{count} recipients", { count: recipients.length })}</summary>
        <ul class="ck-recipients">${recipients.map((one) => html`<li><button type="button" class="ck-plate" @click=${() => this.console.showTruck(one.vehicle_id)}>${one.plate}</button>
          <span><i class=${`ti ti-${STATUSES[one.status]?.icon}`} aria-hidden="true"></i> ${STATUSES[one.status]?.label ?? one.status}${one.responded_at ? ` ${formatClock(one.responded_at)}` : ""}${one.recall_read_at ? html` · ${t("recall read {time}", { time: formatClock(one.recall_read_at) })}` : nothing}</span></li>`)}</ul></details>` : nothing}
      <footer>
        <button type="button" class="btn btn-sm" ?disabled=${!recipients.length} @click=${() => this.console.mark(recipients.map(({ vehicle_id: id }) => id))}>
          <i class="ti ti-map-pin" aria-hidden="true"></i> ${t("Show on the map")}</button>
        ${order.status === "active" ? this.renderCancel(order) : nothing}
      </footer>
    </div>`;
  }

  /** How the drivers were reached who have not looked, and who cannot be reached. */
  renderReach(order, reach) {
    const unread = reach.filter(({ state }) => state !== "read");
    if (!unread.length) return nothing;
    const unreached = unread.filter(({ state }) => state === "unreached");
    const states = Object.keys(REACH).filter((state) => state !== "unreached" && unread.some((one) => one.state === state));
    return html`<div data-testid=${`order-${order.order_id}-reach`}>
      <ul class="ck-order-counts">${states.map((state) => html`<li><i class=${`ti ti-${REACH[state].icon}`} aria-hidden="true"></i>
        <b>${formatNumber(unread.filter((one) => one.state === state).length)}</b> ${REACH[state].label}</li>`)}</ul>
      ${unreached.length ? html`<div class="ck-severity ck-severity-warning" data-testid=${`order-${order.order_id}-unreached`}><i class="ti ti-wifi-off" aria-hidden="true"></i>
        <b>${t("{count} drivers cannot be reached", { count: formatNumber(unreached.length) })}</b>
        ${unreached.map((one) => html`<button type="button" class="ck-plate" title=${one.error} @click=${() => this.console.showTruck(one.vehicle_id)}>${one.plate}</button> `)}</div>` : nothing}</div>`;
  }

  renderCancel(order) {
    if (this.cancelling !== order.order_id) {
      return html`<button type="button" class="btn btn-sm btn-outline-danger ck-act" data-testid=${`order-${order.order_id}-cancel`}
        @click=${() => { this.cancelling = order.order_id; }}><i class="ti ti-ban" aria-hidden="true"></i> ${t("Cancel order…")}</button>`;
    }
    return html`<span class="ck-confirm" role="alertdialog" tabindex="-1" aria-label=${t("Cancel order…")} data-asked-by=${`order-${order.order_id}-cancel`}>${t("Tell {count} trucks that it no longer holds?", { count: countsOf(order).total })}
      <button type="button" class="btn btn-sm btn-danger" data-testid=${`order-${order.order_id}-cancel-confirm`} @click=${() => this.cancel(order)}>${t("Yes, cancel it")}</button>
      <button type="button" class="btn btn-sm" @click=${() => { this.cancelling = null; }}>${t("No")}</button></span>`;
  }

  async cancel(order) {
    await this.act(() => this.console.cancelOrder(order), t("The order is cancelled."));
    this.cancelling = null;
  }
}

customElements.define("police-orders", PoliceOrders);
