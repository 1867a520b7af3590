//! A device in memory as Python has it.
use crate::tun::memory::Wire;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::time::Duration;

#[pyclass(name = "MemoryTun", module = "slopn_engine", frozen, from_py_object)]
#[derive(Clone)]
pub struct PyMemoryTun(pub Wire);

#[pymethods]
impl PyMemoryTun {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(Wire::new().map_err(super::engine_error)?))
    }

    fn send(&self, packet: Vec<u8>) -> bool {
        self.0.send(packet)
    }

    #[pyo3(signature = (timeout = 0.0))]
    fn receive<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let patience = Duration::try_from_secs_f64(timeout).map_err(super::value_error)?;
        let packet = py.detach(|| self.0.receive(patience));
        Ok(packet.map(|packet| PyBytes::new(py, &packet)))
    }
}
