/** Names that cross the wire: which ones a receiver accepts, and how to print those of a stranger. */

/** The components of a relative name, or null when it could lead out of the receiver's directory. */
export function splitName(name: string): string[] | null {
  const parts = name.split('/');
  return parts.every(harmless) ? parts : null;
}

/** Text from the peer or the file system without characters that steer a terminal. */
export const printable = (text: string): string => text.replace(STEERING, '?');

function harmless(part: string): boolean {
  if (part === '' || part === '.' || part === '..' || part.includes('\0')) return false;
  if (process.platform !== 'win32') return true;
  return !FORBIDDEN_ON_WINDOWS.test(part);
}

/** Controls, invisible format characters (those that reorder text among them) and line separators. */
const STEERING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const FORBIDDEN_ON_WINDOWS = /[<>:"\\|?*]|[ .]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;
