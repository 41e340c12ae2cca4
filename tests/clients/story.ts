import createClient from "openapi-fetch";
import type { paths } from "./api.d.ts";
declare const process: { argv: string[] };

const [address, username, password] = process.argv.slice(2);
const everybody = createClient<paths>({ baseUrl: address });

const board = await everybody.GET("/api/v1/board");
if (!board.data) throw new Error(JSON.stringify(board.error));
const gates: string[] = board.data.gates.map((gate) => gate.gate_id);

const token = await everybody.POST("/api/v1/tokens", {
  body: { username, password },
  headers: { "Content-Type": "application/x-www-form-urlencoded" },
  bodySerializer: (body) => new URLSearchParams(body as unknown as Record<string, string>),
});
if (!token.data) throw new Error(token.error?.detail);
const own = createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${token.data.access_token}` } });

const list = await own.GET("/api/v1/trips", { params: { query: { limit: 5 } } });
if (!list.data) throw new Error(list.error?.detail);
const trip_id: number = list.data.items[0].trip_id;
const trip = await own.GET("/api/v1/trips/{trip_id}", { params: { path: { trip_id } } });
if (!trip.data) throw new Error(trip.error?.detail);
const code: string = trip.data.code;

const none = await own.GET("/api/v1/trips/{trip_id}", { params: { path: { trip_id: 999999 } } });
const problem: number | undefined = none.error?.status;

console.log(JSON.stringify({ gates, trip_id, code, problem }));
