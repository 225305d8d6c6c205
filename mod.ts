/**
 * Hot TLS connections, mapped by IP address and by host, on Deno, Bun and Node.
 *
 * A pool knows each of its connections twice: by the machine it leads to and by the host it was
 * verified for. So a program decides which machine of a host serves it, spreads its load over all
 * of them, and does not wait for a handshake that could have been ready.
 *
 * @example Two machines of one host, without a network
 * ```ts
 * import { createPool, staticResolver } from "@hotconn/hotconn";
 * import { memoryDialer } from "@hotconn/hotconn/memory";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = createPool({
 *   dialer: memoryDialer(),
 *   resolver: staticResolver({ "example.test": ["192.0.2.1", "192.0.2.2"] }),
 * });
 * await pool.warm("example.test", { connections: 4 });
 * assertEquals(pool.manager.getConnections("192.0.2.1").length, 2);
 *
 * const lease = await pool.acquire("example.test", { ip: "192.0.2.2" });
 * assertEquals(lease.connection.address, "192.0.2.2");
 * lease.release();
 * ```
 *
 * @module
 */

export {
  createPool,
  type CreatePoolOptions,
  detectDialer,
  detectRuntime,
  type Runtime,
} from "./adapters/detect.ts";
export { proxyFromEnv } from "./adapters/proxy_from_env.ts";
export { systemResolver } from "./adapters/resolvers/system_resolver.ts";
export { type Address, type Host, parseAddress, parseHost } from "./src/core/address.ts";
export { type Clock, ManualClock, systemClock, type Timer } from "./src/core/clock.ts";
export type {
  Dialer,
  DialTarget,
  SocketSink,
  TlsCapability,
  TlsInfo,
  TlsOptions,
  TlsSocket,
  TlsVersion,
} from "./src/core/dialer.ts";
export {
  AccessDeniedError,
  AcquireTimeoutError,
  type AddressFailure,
  ClosedError,
  type DeniedAddress,
  DialError,
  type DialErrorFields,
  type DialFailure,
  type DialPhase,
  HostUnavailableError,
  HotconnError,
  LeaseReleasedError,
  LimitError,
  type LimitScope,
  LockTimeoutError,
  ProxyError,
  type ProxyErrorFields,
  type ProxyFailure,
  RequestError,
  type RequestErrorFields,
  type RequestFailure,
  ResolveError,
  SocketError,
  type SocketFailure,
  UnsupportedOptionError,
  WaiterLimitError,
  WebSocketError,
  type WebSocketErrorFields,
  type WebSocketFailure,
} from "./src/core/errors.ts";
export type { ListenOptions } from "./src/core/events.ts";
export {
  Histogram,
  type HistogramOptions,
  type HistogramSnapshot,
  type HistogramView,
} from "./src/core/histogram.ts";
export {
  LockGuard,
  type LockHolder,
  type LockMode,
  type LockOptions,
  RwLock,
} from "./src/core/lock.ts";
export type { Authorities } from "./src/core/trust/authorities.ts";
export type { Negotiation, Relay, Tunnel, TunnelKind } from "./src/core/tunnel.ts";
export type { WaitOptions } from "./src/core/wait.ts";
export type {
  Fleet,
  FleetCap,
  FleetEvent,
  FleetMember,
  FleetPeer,
  FleetPermits,
  FleetPlace,
  FleetSite,
  FleetStats,
  FleetStatus,
  Lesson,
} from "./src/fleet/fleet.ts";
export type { HeardVerdict, OwnExperience } from "./src/fleet/verdicts.ts";
export type { AccessRules } from "./src/hosts/access.ts";
export type {
  Balancer,
  BalancerCandidate,
  BalancerFunction,
  BalancerName,
} from "./src/hosts/balancer.ts";
export type { Block, BlockOptions } from "./src/hosts/block_list.ts";
export type { HostInfo } from "./src/hosts/directory.ts";
export {
  type Resolution,
  type ResolvedAddress,
  type Resolver,
  type SrvRecord,
  type SrvResolution,
  staticResolver,
} from "./src/hosts/resolver.ts";
export type { AllTold, ToldLater } from "./src/hosts/rests.ts";
export type { EndpointHealth, FailureKind, Verdict } from "./src/hosts/verdict.ts";
export type { SetWeight, WeightChange } from "./src/hosts/weights.ts";
export { connectionOf } from "./src/http/fetch.ts";
export type { HeaderField } from "./src/http/field_check.ts";
export { Http2Error, type Http2ErrorName } from "./src/http/h2/error_codes.ts";
export type { HttpPoolOptions } from "./src/http/http_options.ts";
export { HttpPool } from "./src/http/http_pool.ts";
export type { ResponseLimits } from "./src/http/limits.ts";
export type {
  ObservedEnd,
  ObservedRequest,
  RequestObserver,
  RequestWatch,
} from "./src/http/observer.ts";
export { HttpParseError, type HttpParseReason } from "./src/http/parse_error.ts";
export type { RequestBody } from "./src/http/payload.ts";
export type { RequestHeaders } from "./src/http/request_headers.ts";
export type { RequestOptions, RequestTrailers } from "./src/http/request_options.ts";
export {
  PooledResponse,
  type RequestTimings,
  type ResponseConnection,
} from "./src/http/response.ts";
export { ResponseHeaders } from "./src/http/response_headers.ts";
export type { RetryAfter, RetryAfterMode } from "./src/http/retry_after.ts";
export type { Upgraded, UpgradeOptions } from "./src/http/upgrade.ts";
export {
  PooledWebSocket,
  type WebSocketConnection,
  type WebSocketData,
} from "./src/http/websocket/pooled_web_socket.ts";
export type {
  WebSocketCloseEvent,
  WebSocketErrorEvent,
  WebSocketEvents,
  WebSocketHandler,
  WebSocketListener,
  WebSocketListenOptions,
} from "./src/http/websocket/web_events.ts";
export type { WebSocketOptions } from "./src/http/websocket/web_socket_options.ts";
export type { Accountant, ConnectionLimits } from "./src/map/accountant.ts";
export {
  Connection,
  type ConnectionInit,
  type ConnectionOwner,
  type ConnectionState,
  type ConnectionStats,
  type Resident,
} from "./src/map/connection.ts";
export type { Standing } from "./src/map/endpoint.ts";
export type { EvictReason } from "./src/map/exits.ts";
export {
  ConnectionManager,
  type ConnectionManagerOptions,
  type DebugInfo,
  type TakeOptions,
} from "./src/map/manager.ts";
export {
  OPEN_METRICS_TYPE,
  openMetrics,
  type OpenMetricsOptions,
} from "./src/metrics/open_metrics.ts";
export type { AcquireOptions, CloseOptions, WarmOptions } from "./src/pool/call_options.ts";
export type { ConnectionEvent, PoolEvents } from "./src/pool/events.ts";
export type { AddressChoice } from "./src/pool/host/address_filter.ts";
export type { Protocol, Protocols } from "./src/pool/host/tls_profiles.ts";
export type { WarmResult } from "./src/pool/host/warm_target.ts";
export type { HostOptions } from "./src/pool/host_options.ts";
export { Lease, type ReleaseOptions } from "./src/pool/lease/lease.ts";
export type { OptionInfo, OptionsInfo, OptionValue } from "./src/pool/option_info.ts";
export type { HttpConnectionOptions, PoolOptions } from "./src/pool/options.ts";
export { ConnectionPool } from "./src/pool/pool.ts";
export type { Proxies, ProxyRules, ProxyServer } from "./src/pool/proxy/proxy_options.ts";
export type { ProxyStats } from "./src/pool/proxy/routes.ts";
export type { PoolHistograms, PoolTimes } from "./src/pool/watch/figures.ts";
export type { Finding, FindingKind, Severity } from "./src/pool/watch/findings.ts";
export type {
  CheckAnswer,
  CheckKind,
  HealthCheck,
  HttpCheck,
} from "./src/pool/watch/health_check.ts";
export type { LatencyStats } from "./src/pool/watch/latency_counts.ts";
export type { RequestOutcome, RequestStats } from "./src/pool/watch/request_counts.ts";
export type {
  AddressStats,
  HostStats,
  PoolDebugInfo,
  PoolLimits,
  PoolStats,
} from "./src/pool/watch/stats.ts";
