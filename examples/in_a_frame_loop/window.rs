//! Frames in a window: the usual application code, plus the learner between recording and submitting.

use crate::learner::Learner;
use crate::options::Options;
use crate::picture::Picture;
use crate::screen::Screen;
use hesscale::{Context, ContextOptions, Optimizer, wgpu};
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;
use wgpu::CurrentSurfaceTexture::{Lost, Occluded, Outdated, Suboptimal, Success, Timeout, Validation};
use winit::application::ApplicationHandler;
use winit::dpi::{LogicalSize, PhysicalSize};
use winit::event::WindowEvent;
use winit::event_loop::{ActiveEventLoop, EventLoop};
use winit::window::{Window, WindowId};

/// Initial scale of the picture's pixels.
const ZOOM: u32 = 3;

/// Shows the training until the window is closed.
pub(crate) fn run(photo: Picture, optimizer: Optimizer, options: &Options) -> Result<(), Box<dyn Error>> {
    let events = EventLoop::new()?;
    let mut application = Application { photo, optimizer, options, view: None, failure: None };
    events.run_app(&mut application)?;
    application.failure.map_or(Ok(()), Err)
}

struct Application<'a> {
    photo: Picture,
    optimizer: Optimizer,
    options: &'a Options,
    view: Option<View>,
    /// The error that ended the loop, if any.
    failure: Option<Box<dyn Error>>,
}

/// An open window and its resources.
struct View {
    window: Arc<Window>,
    surface: wgpu::Surface<'static>,
    configuration: wgpu::SurfaceConfiguration,
    screen: Screen,
    learner: Learner,
    shown: wgpu::BindGroup,
    steps: u32,
}

impl Application<'_> {
    fn open(&self, events: &ActiveEventLoop) -> Result<View, Box<dyn Error>> {
        let size = LogicalSize::new(ZOOM * self.photo.width, ZOOM * self.photo.height);
        let attributes = Window::default_attributes().with_title("hesscale").with_inner_size(size);
        let window = Arc::new(events.create_window(attributes)?);
        let display = Box::new(events.owned_display_handle());
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_with_display_handle(display));
        let surface = instance.create_surface(window.clone())?;
        let request =
            wgpu::RequestAdapterOptions { compatible_surface: Some(&surface), ..Default::default() };
        let adapter = pollster::block_on(instance.request_adapter(&request))?;
        let PhysicalSize { width, height } = window.inner_size();
        let mut configuration = surface
            .get_default_config(&adapter, width.max(1), height.max(1))
            .ok_or("no format to draw in")?;
        // The network learns the photograph's bytes as they are: no conversion from linear light, where it can be had.
        let formats = surface.get_capabilities(&adapter).formats;
        configuration.format =
            formats.into_iter().find(|format| !format.is_srgb()).unwrap_or(configuration.format);
        let screen = pollster::block_on(Screen::on(&adapter, &self.photo, configuration.format))?;
        let context = Context::from_device(&screen.device, &screen.queue, ContextOptions::default());
        println!("{}", context.describe());
        let learner = Learner::new(&screen, &context, &self.photo, self.optimizer, self.options.budget)?;
        let shown = screen.shown(learner.colours());
        let steps = self.options.steps;
        let mut view = View { window, surface, configuration, screen, learner, shown, steps };
        view.resize(width, height);
        Ok(view)
    }

    fn draw(&mut self) -> Result<(), Box<dyn Error>> {
        self.view.as_mut().map_or(Ok(()), View::frame)
    }

    /// Ends the loop after a failure.
    fn check(&mut self, outcome: Result<(), Box<dyn Error>>, events: &ActiveEventLoop) {
        if let Err(error) = outcome {
            self.failure = Some(error);
            events.exit();
        }
    }
}

impl View {
    fn resize(&mut self, width: u32, height: u32) {
        (self.configuration.width, self.configuration.height) = (width.max(1), height.max(1));
        self.surface.configure(&self.screen.device, &self.configuration);
        self.screen.fit([width, height]);
    }

    fn frame(&mut self) -> Result<(), Box<dyn Error>> {
        let frame = match self.surface.get_current_texture() {
            Success(frame) | Suboptimal(frame) => frame,
            Outdated => {
                self.surface.configure(&self.screen.device, &self.configuration);
                return Ok(());
            }
            Timeout | Occluded => return Ok(()),
            Lost | Validation => return Err("the window's surface is lost".into()),
        };
        let start = Instant::now();
        let mut encoder = self.screen.device.create_command_encoder(&Default::default());
        let busy = self.learner.record(&mut encoder, self.steps)?;
        self.screen.draw(&mut encoder, &self.shown, &frame.texture);
        self.screen.queue.submit([encoder.finish()]);
        // How long the GPU took. Timestamps would say it without waiting.
        self.screen.device.poll(wgpu::PollType::wait_indefinitely())?;
        if busy {
            self.learner.took(start.elapsed());
        }
        self.screen.queue.present(frame);
        self.window.set_title(&format!("hesscale: {} of {} steps", self.learner.steps(), self.steps));
        Ok(())
    }
}

impl ApplicationHandler for Application<'_> {
    fn resumed(&mut self, events: &ActiveEventLoop) {
        if self.view.is_none() {
            let opened = self.open(events).map(|view| self.view = Some(view));
            self.check(opened, events);
        }
    }

    fn window_event(&mut self, events: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested => events.exit(),
            WindowEvent::Resized(size) => {
                if let Some(view) = &mut self.view {
                    view.resize(size.width, size.height);
                }
            }
            WindowEvent::RedrawRequested => {
                let drawn = self.draw();
                self.check(drawn, events);
            }
            _ => (),
        }
    }

    fn about_to_wait(&mut self, _: &ActiveEventLoop) {
        if let Some(view) = &self.view {
            view.window.request_redraw();
        }
    }
}
