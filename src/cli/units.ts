/** Numbers for people. Octets in decimal units, rates in Mbit/s, as every network tool prints them. */

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would be printed as 1000.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** Mbit/s from octets and milliseconds; 0 where no time has passed. */
export const mbps = (bytes: number, milliseconds: number): number =>
  milliseconds > 0 ? (bytes * 8) / (milliseconds * 1000) : 0;

export const formatRate = (rate: number): string => `${rate.toFixed(rate >= 999.5 ? 0 : 1)} Mbit/s`;

/** How long something took: "0.7 s", "12:34" */
export const formatTime = (milliseconds: number): string =>
  milliseconds < 59_950 ? `${(milliseconds / 1000).toFixed(1)} s` : formatDuration(milliseconds);

/** "0:08", "12:34", "1:02:03" */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const tail = String(seconds % 60).padStart(2, '0');
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3600);
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`;
}

export const percent = (part: number, whole: number): string =>
  `${whole > 0 ? Math.floor((100 * part) / whole) : 0} %`;

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

const UNITS = ['octets', 'kB', 'MB', 'GB', 'TB', 'PB'];
