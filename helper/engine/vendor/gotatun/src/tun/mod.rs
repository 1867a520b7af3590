// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.
//
// This file incorporates work covered by the following copyright and
// permission notice:
//
//   Copyright (c) Mullvad VPN AB. All rights reserved.
//   Copyright (c) 2019 Cloudflare, Inc. All rights reserved.
//
// SPDX-License-Identifier: MPL-2.0

//! The device's MTU, as `Tunn` asks for it.

/// An MTU that holds for one batch of packets.
#[derive(Clone)]
pub struct MtuWatcher(u16);

impl MtuWatcher {
    /// Create an MTU watcher which always returns `mtu`.
    pub const fn new(mtu: u16) -> Self {
        Self(mtu)
    }

    /// Get the current MTU.
    pub fn get(&mut self) -> u16 {
        self.0
    }
}
