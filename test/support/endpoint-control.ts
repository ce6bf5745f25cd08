/** A path manager that is nothing but its table. */
import {
  EndpointTable,
  type EndpointChange,
  type EndpointName,
  type EndpointSpec,
  type PathEndpoint,
  type PathLimits,
} from '../../src/path/endpoints.js';
import { applyIpMptcp, type EndpointControl } from '../../src/path/ip-mptcp.js';

export class TableControl implements EndpointControl {
  readonly table = new EndpointTable();
  readonly deleted: EndpointName[] = [];

  addEndpoint(spec: EndpointSpec): PathEndpoint {
    return this.table.add(spec);
  }
  deleteEndpoint(name: EndpointName): void {
    this.deleted.push(name);
    if (name.id !== 0) this.table.delete(name);
  }
  changeEndpoint(name: EndpointName, change: EndpointChange): void {
    this.table.change(name, change);
  }
  flushEndpoints(): void {
    this.table.flush();
  }
  endpoints(): readonly PathEndpoint[] {
    return this.table.list();
  }
  limits(): PathLimits {
    return this.table.limits;
  }
  setLimits(limits: Partial<PathLimits>): void {
    this.table.setLimits(limits);
  }
  ip(args: string): string {
    return applyIpMptcp(this, args);
  }
}
