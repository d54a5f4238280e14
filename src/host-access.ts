/** `hostAccess` of a profile or a network: whether, and by which address, the host reaches guests on macvtaps. */

/** As it is written: the host's own addresses, or one that only the way has. Its length says what goes that way; /32: the card's whole network. */
export type HostAccess = boolean | { readonly address: string };
