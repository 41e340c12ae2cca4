// Advice, then each gate: queue now and forecast, yards.

import { html, nothing } from "lit";
import { formatClock, formatDayClock, formatNumber, formatWait, t } from "/static/i18n.js";
import { toast } from "/static/toasts.js";
import { fullness, peakOf } from "/static/map/marks.js";
import { SEVERITY, causes, percent } from "./advice-text.js";
import { ConsoleElement } from "./element.js";
import "/static/charts/fan-chart.js";
import "/static/measures/release-plan.js";
import { renderTried } from "/static/measures/tried.js";

class PoliceSituation extends ConsoleElement {
  static properties = { ...ConsoleElement.properties, dismissing: { state: true }, busy: { state: true } };

  render() {
    if (!this.store) return nothing;
    return html`
      <section aria-labelledby="advice-title" data-testid="advice-list">
        <h2 id="advice-title">${t("Advice")}</h2>
        ${this.renderAdvice()}
      </section>
      <section aria-labelledby="gates-title" data-testid="gate-list">
        <h2 id="gates-title">${t("Gates and yards")}</h2>
        ${this.console.gates.map((gate) => this.renderGate(gate))}
      </section>`;
  }

  renderAdvice() {
    if (this.store.isPast) return this.renderPastAdvice();
    const { advisories, openAdvice } = this.store;
    const problem = this.store.problemText("advisories");
    if (problem) return html`<p class="ck-problem" role="alert"><i class="ti ti-alert-circle" aria-hidden="true"></i> ${problem}</p>`;
    if (!advisories) return html`<p class="placeholder-glow"><span class="placeholder col-10"></span></p>`;
    const taken = advisories.filter(({ status }) => status === "taken");
    const calm = this.store.calm(this.console.now());
    if (!openAdvice.length && !taken.length && calm.level !== "ok") return html`<p class="ck-muted" data-testid="advice-blind">${calm.text}</p>`;
    if (!openAdvice.length && !taken.length) {
      return html`<p class="ck-empty ck-empty-small" data-testid="advice-empty"><i class="ti ti-circle-check" aria-hidden="true"></i>
        ${t("No queue is forecast to pass the planners' limits in the next hours.")}</p>`;
    }
    const { record } = this.store;
    return html`${record ? html`<p class="ck-source" data-testid="orders-record"><i class="ti ti-scale" aria-hidden="true"></i> ${record}</p>` : nothing}
      ${this.store.stories.map(({ main, also }) => this.renderCard(main, also))}
      ${taken.map((advisory) => html`<p class="ck-taken" data-testid=${`advisory-${advisory.advisory_id}`}><i class="ti ti-check" aria-hidden="true"></i>
        <span>${advisory.text}<small>${t("{name} takes care of it since {time}", { name: advisory.decided_by, time: formatClock(advisory.decided_at) })}</small></span></p>`)}`;
  }

  /** Advice that stood at the moment shown: nothing of it can be done any more. */
  renderPastAdvice() {
    const { openAdvice } = this.store;
    if (!openAdvice.length) return html`<p class="ck-muted" data-testid="advice-none-then">${t("No advice is kept of this moment.")}</p>`;
    return html`${openAdvice.map((advisory) => {
      const { icon, label } = SEVERITY[advisory.severity];
      return html`<article class=${`ck-advice ck-severity ck-severity-${advisory.severity}`} data-testid=${`advisory-${advisory.advisory_id}`}>
        <header><i class=${`ti ti-${icon}`} aria-hidden="true"></i> <b class="ck-severity-word">${label}</b>
          <span class="ck-muted">${t("advised from {from} to {to}", { from: formatClock(advisory.made_at), to: formatClock(advisory.seen_at) })}</span></header>
        <p class="ck-advice-head">${advisory.text}</p></article>`;
    })}
      ${openAdvice.some((advisory) => advisory.is_later) ? html`<p class="ck-source">${t("In the words in which it was told last.")}</p>` : nothing}`;
  }

  /** One story a gate: what, until when, how sure, what changed; what else is advised there stands below it. */
  renderCard(advisory, also) {
    const { icon, label } = SEVERITY[advisory.severity];
    const id = advisory.advisory_id;
    return html`<article class=${`ck-advice ck-severity ck-severity-${advisory.severity}`} data-testid=${`advisory-${id}`}>
      <header><i class=${`ti ti-${icon}`} aria-hidden="true"></i> <b class="ck-severity-word">${label}</b>
        <span class="ck-muted">${t("until {time}", { time: formatClock(advisory.until) })} · ${t("sure to {share}", { share: percent(advisory.probability) })}</span></header>
      <p class="ck-advice-head">${advisory.text}</p>
      ${advisory.change ? html`<p class="ck-advice-change" data-testid=${`advisory-${id}-change`}><i class="ti ti-arrows-diff" aria-hidden="true"></i> ${advisory.change}</p>` : nothing}
      ${advisory.cause.length ? html`<p class="ck-advice-cause"><b>${t("Why")}:</b> ${causes(advisory)}</p>` : nothing}
      ${advisory.hit_rate ? html`<p class="ck-source" data-testid=${`advisory-${id}-hits`}><i class="ti ti-target-arrow" aria-hidden="true"></i> ${advisory.hit_rate.text}</p>` : nothing}
      ${this.renderMeasures(advisory)}
      ${this.dismissing === id ? this.renderDismissal(advisory) : html`<footer>
        <button type="button" class="btn btn-sm ck-act" data-testid=${`advisory-${id}-take`} ?disabled=${this.busy}
          @click=${() => this.decide(advisory, "taken", "")}><i class="ti ti-check" aria-hidden="true"></i> ${t("Taken care of")}</button>
        <button type="button" class="btn btn-sm btn-ghost-secondary ck-act" data-testid=${`advisory-${id}-dismiss`}
          @click=${() => { this.dismissing = id; }}><i class="ti ti-x" aria-hidden="true"></i> ${t("Dismiss…")}</button></footer>`}
      ${also.length ? html`<details class="ck-also" data-testid=${`advisory-${id}-also`}><summary>${t("Also at this gate")} (${also.length})</summary>
        ${also.map((other) => this.renderCard(other, []))}</details>` : nothing}
    </article>`;
  }

  /** The acts that were tried, the best first; before that, those that usually help. */
  renderMeasures(advisory) {
    const id = advisory.advisory_id;
    const tried = this.store.measures[id];
    if (tried) return renderTried(tried, (measure) => this.console.compose({ advisory, measure }));
    return html`<ul class="ck-measures">${advisory.measure.map((measure, i) => html`<li>
        <span>${measure.text}</span>
        <button type="button" class="btn btn-sm btn-primary ck-act" data-testid=${`advisory-${id}-measure-${i}`}
          @click=${() => this.console.compose({ advisory, measure })}>
          <i class="ti ti-send" aria-hidden="true"></i> ${t("Order")}</button></li>`)}</ul>
      <p class="ck-source">${t("What each act would bring is being computed.")}</p>`;
  }

  renderDismissal(advisory) {
    return html`<form class="ck-dismiss" @submit=${(event) => {
      event.preventDefault();
      this.decide(advisory, "dismissed", new FormData(event.target).get("reason").trim());
    }}>
      <label class="form-label" for=${`reason-${advisory.advisory_id}`}>${t("Why is this advice not followed?")}</label>
      <input class="form-control" id=${`reason-${advisory.advisory_id}`} name="reason" required maxlength="300" autocomplete="off">
      <div><button class="btn btn-sm btn-primary" ?disabled=${this.busy} data-testid="dismiss-confirm">${t("Dismiss")}</button>
        <button type="button" class="btn btn-sm" @click=${() => { this.dismissing = null; }}>${t("Cancel")}</button></div>
    </form>`;
  }

  async decide(advisory, status, reason) {
    this.busy = true;
    try {
      await this.console.decideAdvisory(advisory, status, reason);
      this.dismissing = null;
    } catch (error) {
      toast(error.message, "danger");
    } finally {
      this.busy = false;
      this.store.load("advisories");
    }
  }

  renderGate(gate) {
    const forecast = this.store.forecasts[gate.site_id];
    const problem = this.store.problemText("forecasts");
    return html`<article class="ck-gate-card" data-testid=${`gate-${gate.site_id}`}>
      <header><h3>${gate.name}</h3>
        <button type="button" class="btn btn-sm btn-icon btn-ghost-secondary" aria-label=${t("Show on the map")} title=${t("Show on the map")}
          @click=${() => this.console.showGate(gate.site_id)}><i class="ti ti-map-pin" aria-hidden="true"></i></button></header>
      ${forecast ? this.renderForecast(gate, forecast) : html`<p class="ck-muted">${problem || (forecast === null ? t("No forecast has been made yet.") : t("Loading…"))}</p>`}
      ${this.renderYards(gate)}
      ${this.store.isPast ? nothing : html`<release-plan .gate=${gate.site_id} .take=${(draft) => this.console.compose({ measure: { draft } })}></release-plan>`}
    </article>`;
  }

  renderForecast(gate, forecast) {
    const values = this.store.valuesOf(gate.site_id);
    const { isPast, moment, past } = this.store;
    const now = moment === null ? Date.parse(forecast.made_at) : moment.getTime();
    const nowText = moment === null ? t("now") : formatClock(now);
    const isKnown = isPast || this.store.currentForecast(gate.site_id) !== null;
    const chart = (name, unit, label, digits = 0) => {
      if (!isKnown) return nothing;
      const fan = isPast ? past.fanOf(gate.site_id, name) : { ...forecast, fans: [{ values: forecast[name] }] };
      return fan && html`<figure><figcaption>${label}</figcaption>
        <fan-chart data-testid=${`fan-${gate.site_id}-${name}`} .label=${`${gate.name}, ${label}`}
          .fan=${{ ...fan, now, now_text: nowText, unit, digits }}></fan-chart></figure>`;
    };
    return html`
      <dl class="ck-gate-figures">
        <div><dt>${t("Queue")}</dt><dd>${values ? formatNumber(values.queue[1]) : "–"}</dd></div>
        <div><dt>${t("Wait")}</dt><dd>${formatWait(values?.wait_s, values?.reach_s) || "–"}</dd></div>
        <div><dt>${t("Tail")}</dt><dd>${values?.tail_km[1] == null ? "–" : `km ${formatNumber(values.tail_km[1], 1)}`}</dd></div>
      </dl>
      ${chart("queue_veh", t("trucks"), t("Trucks waiting"))}
      ${chart("tail_km", "km", t("Tail of the queue, km"), 1)}
      ${isPast ? html`<p class="ck-source">${t("As measured in the past day")}</p>`
        : isKnown ? this.renderQuality(gate, forecast)
          : html`<p class="ck-muted" data-testid=${`no-forecast-${gate.site_id}`}>${t("There is no forecast now; the newest is of {time}.", { time: formatDayClock(forecast.made_at) })}</p>`}`;
  }

  /** What is to be known of a forecast: how good it is, of when, what stands in its place. */
  renderQuality(gate, forecast) {
    return html`
      ${(forecast.fallbacks ?? []).map((lost) => html`<p class="ck-severity ck-severity-warning" data-testid="skill-lost">
        <i class="ti ti-alert-triangle" aria-hidden="true"></i> <span>${lost.message}</span></p>`)}
      <p class="ck-gate-skill"><a href=${`/forecast/skill?gate=${gate.site_id}`} data-testid=${`skill-${gate.site_id}`}>
        <i class="ti ti-target-arrow" aria-hidden="true"></i> ${forecast.skill || t("How good the forecast is")}</a></p>
      <p class="ck-source">${t("Forecast of {time}; band 10–90 %, line 50 %", { time: formatClock(forecast.made_at) })}</p>`;
  }

  renderYards(gate) {
    const problem = this.store.problemText("yards");
    if (problem) return html`<p class="ck-problem" role="alert">${problem}</p>`;
    const yards = [...this.store.yardsOf(gate.site_id), ...this.store.yardsOf(gate.site_id, "temporary_yard")];
    return yards.map((yard) => {
      const taken = yard.inside ?? (yard.free == null ? null : yard.capacity - yard.free);
      const { share, level } = fullness(taken, yard.capacity);
      const peak = peakOf(yard.forecast);
      const free = yard.capacity === 0 ? "" : level === "full" ? t("full") : yard.free == null ? "" : t("{count} free", { count: formatNumber(yard.free) });
      return html`<div class="ck-yard" data-testid=${`yard-${yard.yard_id}`}>
        <span class="ck-yard-name">${this.console.nameOfSite(yard.yard_id)}</span>
        <span class="ck-yard-count"><b>${yard.inside == null ? "–" : formatNumber(yard.inside)}</b>${yard.capacity === 0 ? "" : `/${formatNumber(yard.capacity)}`}${free ? ` · ${free}` : ""}</span>
        <span class=${`ck-bar ck-bar-${level}`}><span .style=${`width:${Math.min(100, share * 100)}%`}></span></span>
        ${(yard.closures ?? []).map((closed) => html`<span class="ck-source" data-testid=${`yard-closed-${yard.yard_id}`}><i class="ti ti-lock" aria-hidden="true"></i> <strong>${closed.zone_id ? `${t("zone {zone}", { zone: closed.zone_id })} · ` : ""}${t("closed now")}</strong>: ${closed.reason} · ${closed.until ? t("until {time}", { time: formatDayClock(closed.until) }) : t("end not known yet")}</span>`)}
        ${peak && peak.most > yard.inside ? html`<span class="ck-source" data-testid=${`yard-peak-${yard.yard_id}`}>${t("{count} expected at {time}", { count: formatNumber(Math.round(peak.most)), time: formatClock(peak.at) })}</span>` : nothing}
      </div>`;
    });
  }
}

customElements.define("police-situation", PoliceSituation);
